"""What each command does to the model, in steps: a crash leaves what some of the first ones made.

Each command is a generator. It yields after each step that others could see in the store, and
returns what the command says; where the command must refuse, it raises what the command raises.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nbvc.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotebookNotFound,
    UnsavedChanges,
    VersionNotFound,
)
from tests.faults.machine.model import Folder, Notebook, Shelf, Version, Waiting, World

Steps = Generator[None, None, Any]
WAITS = "waits"


def push(world: World, who: str) -> Steps:
    """``nbvc push``."""
    yield from _deliver(world, who)
    return (len(world.folders[who].outbox),)


def save(world: World, who: str, path: str, message: str) -> Steps:
    """``nbvc save PATH -m MESSAGE``."""
    folder = world.folders[who]
    if path not in folder.files:
        raise NotebookNotFound("")
    yield from _deliver(world, who)
    if folder.outbox:  # the delivery was stopped
        return (False, WAITS)
    saved, version = yield from _save(world, folder, path, message)
    return (saved, version.number)


def clone(world: World, who: str) -> Steps:
    """``nbvc clone`` of everything into a new folder."""
    yield from ()
    world.folders.pop(who, None)
    folder = Folder(author=who)
    for path, notebook in world.notebooks.items():
        if (version := notebook.drafts.current) is not None:
            folder.files[path] = version.data
            folder.set_base(path, version)
            folder.cloned.add(path)
            folder.seen.add(path)
    if not folder.files:
        raise NotebookNotFound("")
    world.folders[who] = folder
    return (len(folder.files),)


def migrate(world: World, who: str) -> Steps:
    """``nbvc migrate`` to a fresh store: what the next save would adopt has its number there."""
    yield from _deliver(world, who)
    for notebook in world.notebooks.values():
        for shelf in (notebook.drafts, notebook.published):
            for version in shelf.unrecorded_before(None):
                shelf.record(version)
    for version in world.versions():
        version.version_id = None
        version.packed = version.elsewhere = False
    world.folders[who].known.clear()
    return ()


def pack(world: World, who: str, path: str, keep_newest: int) -> Steps:
    """``nbvc pack PATH --apply``, of versions of any age."""
    yield from _deliver(world, who)
    notebook = world.notebook(path)
    if not notebook.drafts.exists:
        raise NotebookNotFound("")
    current = [each.drafts.current for each in world.notebooks.values()]
    recorded = [version for version in notebook.drafts.log() if version.number]
    cold = [
        version
        for version in recorded[max(keep_newest, 1) :]
        if not (_is_named(notebook, version) or version.packed or version in current)
    ]
    for _, versions in groupby(reversed(cold), key=lambda version: version.home):
        for version in versions:
            version.packed, version.elsewhere = True, False
        yield
    return (len(cold),)


def unpack(world: World, who: str, path: str) -> Steps:
    """``nbvc unpack PATH --apply``."""
    yield from _deliver(world, who)
    shelf = world.notebook(path).drafts
    if not shelf.exists:
        raise NotebookNotFound("")
    unpacked = 0
    for home in dict.fromkeys([*(version.home for version in shelf.records), path]):
        there, versions = world.notebook(home).drafts, world.packed_in(home)
        if versions and there.current is None:
            there.current = versions[-1]  # until what was on top is on top again
            yield
            there.current = None
        for version in versions:
            version.packed, version.elsewhere = False, True
        unpacked += len(versions)
        yield
    return (unpacked,)


def forget(world: World, who: str, path: str, last: int) -> Steps:
    """``nbvc forget PATH --apply``, with ``--keep-last``, or with ``--keep-tagged`` for none."""
    yield from _deliver(world, who)
    notebook = world.notebook(path)
    if not notebook.drafts.exists:
        raise NotebookNotFound("")
    if notebook.drafts.moved_to is not None:
        raise NotebookNotFound("")
    shelf = notebook.drafts
    recorded = [version for version in shelf.log() if version.number]
    going = [
        version
        for version in recorded[max(last, 1) :]
        if not (_is_named(notebook, version) or _is_needed(world, path, version))
    ]
    left = [version for version in shelf.hidden if not version.let_go]
    yield from _let_go([each for each in left if not _is_needed(world, path, each)])
    earlier = [version for version in going if version.home != path]
    if earlier:
        shelf.hidden += earlier
        yield
    yield from _let_go(going[::-1])
    return (len(going),)


def _let_go(versions: list[Version]) -> Steps:
    """Let go of versions, oldest first, under one name after the other."""
    for _, some in groupby(versions, key=lambda version: version.home):
        for version in some:
            version.let_go, version.packed = True, False
        yield


def _is_named(notebook: Notebook, version: Version) -> bool:
    published = notebook.published.current
    is_published = published is not None and published.source is version
    return is_published or version.number in notebook.tags.values()


def _is_needed(world: World, path: str, version: Version) -> bool:
    """Whether it is current, or another name of a notebook needs what is not named under this."""
    shelf = world.notebook(path).drafts
    current = [each.drafts.current for each in world.notebooks.values()]
    if version in shelf.shared or version in current:
        return True
    for home in {each.home for each in shelf.records} - {path}:
        other = world.notebook(home)
        published = other.published.current
        if published is not None and published.source is version:
            return True
        is_used = other.drafts.moved_to is None and version in other.drafts.records
        if is_used and (version in other.drafts.records[-1:] or _is_named(other, version)):
            return True
    return False


def foreign(world: World, path: str, data: bytes) -> Steps:
    """Another tool writes to the key."""
    world.notebook(path).drafts.write(Version(data=data))
    yield


def repair(world: World, who: str) -> Steps:
    """``nbvc repair --apply``: everything without a number gets one."""
    mended = 0
    for _, notebook in sorted(world.notebooks.items()):
        for shelf in (notebook.drafts, notebook.published):
            for version in [each for each in shelf.stored if each.number is None]:
                shelf.record(version)
                mended += 1
                yield
    return (mended, 0)


def checkout(world: World, who: str, path: str, ref: Ref, *, force: bool) -> Steps:
    """``nbvc checkout PATH@REF``, perhaps with ``--force``."""
    folder = world.folders[who]
    yield from _deliver(world, who)
    version = ref.of(world, path)
    number, name = version.number, version.name  # a save of what is there may give it another
    data = folder.files.get(path)
    if data is not None and not _is_safe(world, folder, path):
        if not force:
            raise UnsavedChanges("")
        yield from _save(world, folder, path, f"before checkout of {name}")
    folder.files[path] = version.data
    known = folder.known.get(path)
    folder.set_base(path, version)
    folder.seen.add(path)
    if known is not None and not (number and number <= (known.number or 0)):
        del folder.known[path]
    return (name,)


def publish(world: World, who: str, path: str, ref: Ref | None, message: str) -> Steps:
    """``nbvc publish PATH[@REF] -m MESSAGE``."""
    folder = world.folders[who]
    yield from _deliver(world, who)
    known = folder.known.get(path)
    source = known if ref is None and known else (ref or Ref(back=0)).of(world, path)
    shelf = world.notebook(path).published
    copy = Version(
        data=source.data,
        author=folder.author,
        message=message,
        saved_at=world.now,
        source=source,
    )
    shelf.write(copy)
    yield
    shelf.record(copy)
    folder.seen.add(path)
    yield
    return (copy.number, source.name)


def unpublish(world: World, who: str, path: str) -> Steps:
    """``nbvc unpublish PATH``."""
    yield from _deliver(world, who)
    shelf = world.notebook(path).published
    if shelf.current is None:
        raise NotebookNotFound("")
    shelf.removed = True
    yield
    shelf.current = None
    yield
    return ()


def tag(world: World, who: str, path: str, name: str, ref: Ref, *, move: bool) -> Steps:
    """``nbvc tag PATH@REF NAME``, perhaps with ``--force``."""
    yield from _deliver(world, who)
    version = ref.of(world, path)
    notebook = world.notebook(path)
    if version.number is None:
        raise InvalidInput("")
    if notebook.tags.get(name, version.number) != version.number and not move:
        raise AlreadyExists("")
    notebook.tags[name] = version.number
    yield
    return (version.name,)


def delete_tag(world: World, who: str, path: str, name: str) -> Steps:
    """``nbvc tag --delete PATH NAME``."""
    yield from _deliver(world, who)
    tags = world.notebook(path).tags
    if name not in tags:
        raise VersionNotFound("")
    number = tags.pop(name)
    yield
    return (number,)


def remove(world: World, who: str, path: str, *, keep_file: bool) -> Steps:
    """``nbvc rm PATH``, perhaps with ``--keep-file``."""
    folder, shelf = world.folders[who], world.notebook(path).drafts
    if not keep_file and path in folder.files and not _is_held_here(folder, path):
        yield from _deliver(world, who)
        if not _is_safe(world, folder, path):
            raise UnsavedChanges("")
    yield from _deliver(world, who)
    if folder.queue(path):
        raise Conflict("")
    if not shelf.exists:
        raise NotebookNotFound("")
    shelf.removed = True
    yield
    shelf.current = None
    yield
    folder.forget(path)
    if not keep_file:
        folder.files.pop(path, None)
    return ()


def rename(world: World, who: str, old: str, new: str) -> Steps:
    """``nbvc mv OLD NEW``."""
    folder = world.folders[who]
    if old in folder.files and new in folder.files:
        raise AlreadyExists("")
    if old not in folder.files and new not in folder.files:
        raise NotebookNotFound("")
    yield from _deliver(world, who)
    if folder.queue(old) or folder.queue(new):
        raise Conflict("")
    message = f"renamed from {old}"
    copy = yield from _rename(world, folder.author, old, new, message)
    if old in folder.files:
        folder.files[new] = folder.files.pop(old)
    base = folder.base.get(old)
    folder.set_base(new, copy if base is not None and base.data == copy.data else base)
    folder.known[new] = copy
    folder.seen.add(new)
    folder.forget(old)
    return (copy.name,)


def _deliver(world: World, who: str) -> Steps:
    """Deliver what waits in the outbox of *who*, unless the world stops that after some steps."""
    folder, done = world.folders[who], 0
    for waiting in sorted(folder.outbox, key=lambda each: each.path):
        steps = _deliver_one(world, folder, waiting)
        while True:
            if world.delivery_stops_after is not None and done >= world.delivery_stops_after:
                return
            try:
                next(steps)
            except StopIteration:
                break
            done += 1
            yield


def _deliver_one(world: World, folder: Folder, waiting: Waiting) -> Steps:
    version, path = waiting.version, waiting.path
    shelf = world.notebook(path).drafts
    known = folder.known.get(path)
    landed = version.number is not None or version in shelf.stored
    if version.number is not None:
        saved = version
    elif landed:
        yield from _record(shelf, version, waiting.base)
        saved = version
    elif not waiting.sent and known is not None and known.data == version.data:
        saved = known
    else:
        waiting.sent = True
        saved = yield from _store(world, path, version, waiting.base, known)
    if folder.base.get(path) is version:
        folder.set_base(path, saved)
    for other in folder.outbox:  # where others had saved the same bytes, theirs is the version
        other.base = saved if other.base is version else other.base
    if known is None or (known.number or 0) <= (saved.number or 0):
        folder.known[path] = saved
    folder.seen.add(path)
    folder.outbox.remove(waiting)


def _save(
    world: World, folder: Folder, path: str, message: str
) -> Generator[None, None, tuple[bool, Version]]:
    """Save what lies at *path*; return whether that made a version, and which one holds it."""
    data = folder.files[path]
    world.ask_number(folder, path)
    base, known = folder.base.get(path), folder.known.get(path)
    folder.seen.add(path)
    if known is not None and known.data == data:
        return False, known
    version = Version(data=data, author=folder.author, message=message, saved_at=world.now)
    world.pending = version
    unrecorded = [each for each in world.notebook(path).drafts.stored if each.number is None]
    saved = yield from _store(world, path, version, base, known)
    folder.set_base(path, saved)
    folder.known[path] = saved
    # A save that was cut off, and is run again, says that it saved.
    finished = saved in unrecorded and saved.author == folder.author
    return saved is version or finished, saved


def _store(
    world: World, path: str, version: Version, base: Version | None, known: Version | None
) -> Generator[None, None, Version]:
    """Store *version* and give it a number; return the version that has its bytes now."""
    shelf = world.notebook(path).drafts
    version.parent = base.number if base else None
    top = shelf.current
    is_newest = known is not None and top is not None and top.data == known.data
    if top is not None and top.data == version.data and not is_newest:
        if [top] != shelf.records[-1:] and not top.is_foreign:
            yield from _adopt(shelf, None)
        if [top] == shelf.records[-1:]:
            return top
    alone = is_newest if known else top is None and not shelf.has_index
    shelf.write(version)
    yield
    if alone and shelf.newest_number == (known.number if known else 0):
        shelf.record(version)
        yield
    else:
        yield from _record(shelf, version, base)
    return version


def _record(shelf: Shelf, version: Version, base: Version | None) -> Steps:
    """Give *version*, which is stored, a number, and first all that came before it."""
    yield from _adopt(shelf, version)
    if version.parent is None and base is not None:
        version.parent = base.number
    shelf.record(version)
    yield


def _adopt(shelf: Shelf, mine: Version | None) -> Steps:
    """Bring a removed notebook back, and give what has no number one."""
    if shelf.removed or shelf.moved_to:
        if shelf.moved_to:
            shelf.shared = list(shelf.records)
        shelf.removed, shelf.moved_to = False, None
        yield
    for version in shelf.unrecorded_before(mine):
        shelf.record(version)
        yield


def _is_safe(world: World, folder: Folder, path: str) -> bool:
    """Whether some version, or the outbox, holds the bytes of the file."""
    data, log = folder.files[path], world.notebook(path).drafts.log()
    held = any(version.data == data for version in log if version.number or not version.is_foreign)
    return held or _is_held_here(folder, path)


def _is_held_here(folder: Folder, path: str) -> bool:
    """Whether that is known without the store."""
    held = [waiting.version for waiting in folder.queue(path)]
    held += [version for version in (folder.base.get(path), folder.known.get(path)) if version]
    return any(version.data == folder.files[path] for version in held)


def _rename(
    world: World, author: str, old: str, new: str, message: str
) -> Generator[None, None, Version]:
    """Rename in the store: go on from wherever an earlier try was cut off."""
    notebook, other = world.notebook(old), world.notebook(new)
    source, target = notebook.drafts, other.drafts
    newest = next(iter(source.log()), None)
    if newest is None or (source.current is None and source.moved_to is None):
        raise NotebookNotFound("")
    if source.current is None and source.moved_to != new:
        raise NotebookNotFound("")
    if newest.number is None:
        raise InvalidInput("")
    copy = target.current
    if copy is None or copy.source is not newest:
        if target.exists and not _returns(source, target):
            raise AlreadyExists("")
        copy = Version(
            data=newest.data,
            author=author,
            message=message,
            saved_at=world.now,
            parent=newest.number,
            source=newest,
        )
        target.write(copy)
        yield
    yield from _link(notebook, other, copy, newest)
    if source.moved_to != new:
        source.moved_to = new
        yield
    if source.current is not None:
        source.current = None
        yield
    return copy


def _returns(source: Shelf, target: Shelf) -> bool:
    """Whether *source* had the name of *target* before, and nobody saved under it since."""
    is_part = set(map(id, target.records)) <= set(map(id, source.records))
    return target.moved_to is not None and bool(target.records) and is_part


def _link(notebook: Notebook, other: Notebook, copy: Version, newest: Version) -> Steps:
    """Let *other* continue *notebook*: records and tags, then a number for *copy*."""
    source, target = notebook.drafts, other.drafts
    if copy.number is not None:
        if source.current is None:  # it had come to its end, and somebody else renames as well
            tags = {**notebook.tags, **other.tags}
            if tags != other.tags:
                other.tags = tags
                yield
        return
    target.stored = [each for each in target.stored if each.number is None]
    target.records = list(source.records)
    target.removed, target.moved_to = False, None
    target.shared, target.hidden = list(source.shared), list(source.hidden)
    other.tags = dict(notebook.tags)
    yield
    copy.number = (newest.number or 0) + 1
    target.records.append(copy)
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """How a person names a version. The same words can mean another one in each system.

    Attributes:
        back: So many before the latest.
        number: Its number.
        tag: Its tag.
    """

    back: int | None = None
    number: int | None = None
    tag: str | None = None

    @property
    def text(self) -> str:
        """What to type."""
        if self.tag is not None:
            return self.tag
        if self.number is not None:
            return f"v{self.number}"
        return f"latest~{self.back}" if self.back else "latest"

    def of(self, world: World, path: str) -> Version:
        """Return the version that it means.

        Raises:
            NotebookNotFound: There is no notebook.
            VersionNotFound: There is no such version.
        """
        notebook = world.notebook(path)
        log = notebook.drafts.log()
        if not notebook.drafts.exists:  # of one that has another name, nothing may be left to show
            raise NotebookNotFound("")
        number = self.number if self.tag is None else notebook.tags.get(self.tag, 0)
        if number is None:
            found = log[self.back : self.back + 1] if self.back is not None else []
        else:
            found = [version for version in log if version.number == number]
        if not found:
            raise VersionNotFound("")
        return found[0]
