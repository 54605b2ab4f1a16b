"""Holds deploy/ against the programs: every YAML file can be read, and every flag and variable in it is one that a
program knows. Called by deploy-check.sh: deploy_names.py [FOLDER-OF-PROGRAMS]; without the folder only YAML is read."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

PROGRAMS = {"CHAT_": "chat-app", "STOMP_": "stomp-server"}
VARIABLE = re.compile(r"\b(?:CHAT|STOMP)_[A-Z][A-Z_]*\b")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# Of the shell that starts compose, and never a setting.
OTHER = {"CHAT_DB_PASSWORD"}


def main(folder):
    files = sorted(path for path in Path("deploy").rglob("*") if path.is_file())
    faults = [fault for path in files if path.suffix == ".yaml" for fault in unreadable(path)]
    if folder:
        helps = {program: help_of(folder / program) for program in PROGRAMS.values()}
        seen = [found for path in files for found in names(path)]
        faults += [f"{where}: {program} has no {name}" for where, program, name in seen if name not in helps[program]]
        print(f"{len(seen)} flags and variables were looked up in the programs' help")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


def unreadable(path):
    """Faults of a YAML file: also a key given twice, which the library would pass over."""
    try:
        documents = list(yaml.load_all(path.read_text(), Loader=Strict))
        print(f"{path}: {len(documents)} document(s)")
    except yaml.YAMLError as error:
        yield f"{path}: {error}"


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {sorted(doubled)}", node.start_mark)
        return super().construct_mapping(node, deep)


def help_of(program):
    """The names that its help shows, as a set."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(FLAG.findall(text)) | set(re.findall(r"\[env: ([A-Z_]+)", text))


def names(path):
    """(where, program, name) of all variables, and of the flags behind a program's name or told in comments."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path}:{number}"
        for name in VARIABLE.findall(line):
            if name not in OTHER:
                yield where, PROGRAMS[name.split("_")[0] + "_"], name
        for program in PROGRAMS.values():
            for command in re.findall(rf"{program}\b([^#`]*)", line):
                for name in FLAG.findall(command):
                    yield where, program, name


sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
