"""Follows every relative link of every Markdown file: to a file or folder that is there, and to a heading in it.

    python3 scripts/links.py

Links inside of code are no links; what leads to other hosts is not asked for. Exit code 1 if a link leads nowhere."""

import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

PASSED_OVER = {"target", "node_modules", ".cache", ".git"}
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)", re.M)
HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
# A scheme, as in https: or mailto:, or another host.
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)


def main():
    root = Path(__file__).resolve().parent.parent
    files = sorted(p for p in root.rglob("*.md") if not PASSED_OVER & set(p.relative_to(root).parts))
    links = [(path, number, target) for path in files for number, target in links_of(path)]
    faults = [(path, number, target, why) for path, number, target in links if (why := fault(root, path, target))]
    for path, number, target, why in faults:
        print(f"error: {path.relative_to(root)}:{number}: {target}: {why}", file=sys.stderr)
    print(f"{len(links)} relative links in {len(files)} files, {len(faults)} of them lead nowhere")
    return 1 if faults else 0


def links_of(path):
    """(line, target) of each link that stays in the project."""
    text = prose(path.read_text())
    for pattern in (INLINE, REFERENCE, HTML):
        for found in pattern.finditer(text):
            target = found.group(1)
            if not ELSEWHERE.match(target):
                yield text.count("\n", 0, found.start(1)) + 1, target


def prose(text):
    """The text without what stands in code; the lines stay where they are."""
    blank = lambda found: re.sub(r"[^\n]", " ", found.group())
    text = re.sub(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[ \t]*$|\Z)", blank, text, flags=re.M | re.S)
    return re.sub(r"(?<!`)(`+)(?!`)(?:[^\n]|\n(?!\n))*?(?<!`)\1(?!`)", blank, text)


def fault(root, path, target):
    """Why the link leads nowhere, or None."""
    name, _, heading = unquote(target).partition("#")
    there = (root / name[1:] if name.startswith("/") else path.parent / name).resolve() if name else path
    if not there.is_relative_to(root):
        return "it leads out of the project"
    if not there.exists():
        return "there is no such file"
    if heading and there.suffix == ".md" and heading not in headings(there):
        return "there is no such heading"
    return None


@cache
def headings(path):
    """The names that a page of GitHub gives to the headings of a file; a second one of the same text gets -1."""
    names, seen = set(), {}
    fenced = re.sub(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[ \t]*$|\Z)", "", path.read_text(), flags=re.M | re.S)
    for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*\s*$", fenced, re.M):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names | set(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", path.read_text()))


sys.exit(main())
