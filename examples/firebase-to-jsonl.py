"""Turns the export of a Firebase-like chat (one JSON tree) into lines that `chat-app import` takes.

Usage: python3 firebase-to-jsonl.py tree.json > chat.jsonl

The tree is that of firebase-sample.json: users, chats, messages by chat. Yours has other names; the functions
that read it are the place to say so. See docs/from-firebase.md.
"""
import datetime
import hashlib
import json
import os
import re
import sys


def ident(text):
    """An id that the chat takes: as it is where it can be, else one made from it, the same at every run."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) else hashlib.sha256(text.encode()).hexdigest()[:32]


def time(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(uid, person):
    line = {"type": "user", "id": uid, "name": (person.get("displayName") or uid)[:128]}
    if str(person.get("photoURL", "")).startswith("https://"):
        line["picture"] = person["photoURL"]
    return line


def is_direct(chat):
    return len(chat.get("members", {})) == 2 and not chat.get("title")


def room(key, chat):
    line = {"type": "room", "id": ident(key), "created_at": time(chat["createdAt"])}
    if is_direct(chat):
        return line | {"kind": "direct", "pair": sorted(chat["members"])}
    return line | {"kind": "group", "name": (chat.get("title") or "Chat")[:128]}


def members(key, chat):
    people = sorted(chat.get("members", {}))
    # A group needs an owner: the one named, or the first. A pair owns its room together.
    owners = people if is_direct(chat) else [chat["owner"]] if chat.get("owner") in people else people[:1]
    for uid in people:
        role = "owner" if uid in owners else "member"
        yield {"type": "member", "room": ident(key), "user": uid, "role": role, "joined_at": time(chat["createdAt"])}


def message(key, ordinal, name, said):
    line = {"type": "message", "room": ident(key), "ordinal": ordinal, "id": ident(f"{key}/{name}"), "sender": said["sender"]}
    # What is not text travels as an object; pages of yours know what to do with it.
    line |= {"text": said["text"]} if said.get("text") else {"content": {"kind": "image", "url": said.get("imageUrl", "")}}
    return line | {"created_at": time(said["timestamp"])}


def lines(tree, name):
    yield {"type": "header", "version": 1, "name": name}
    people, history = tree.get("users", {}), tree.get("messages", {})
    # Who is not in the list any more still has said things.
    gone = {said["sender"] for talk in history.values() for said in talk.values()}
    gone |= {uid for chat in tree["chats"].values() for uid in chat.get("members", {})}
    for uid in sorted(people.keys() | gone):
        yield user(uid, people.get(uid, {}))
    for key, chat in tree["chats"].items():
        yield room(key, chat)
        yield from members(key, chat)
        talk = sorted(history.get(key, {}).items(), key=lambda said: (said[1]["timestamp"], said[0]))
        for ordinal, (name, said) in enumerate(talk, 1):
            yield message(key, ordinal, name, said)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        source = json.load(file)
    for line in lines(source, "firebase " + os.path.basename(sys.argv[1])):
        print(json.dumps(line, ensure_ascii=False))
