"""Doctor: whether all that a save needs works, told so that it can be shown to anybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig, InvalidInput, NbvcError
from nbvc.stores.opening import FILE_SCHEME, S3_SCHEME, parse_folder, parse_s3_url
from nbvc.workspace import doctor_here as here
from nbvc.workspace.binding import usable_folder
from nbvc.workspace.choosing import find_workspace
from nbvc.workspace.core import Workspace
from nbvc.workspace.diagnosis import Check, Diagnosis, Health, examine, failed, unknown
from nbvc.workspace.doctor_bucket import BucketDoctor
from nbvc.workspace.doctor_folder import FolderDoctor
from nbvc.workspace.public_text import PublicText
from nbvc.workspace.session import Session


def diagnose(
    environment: Environment,
    url: str | None = None,
    *,
    flags: Mapping[str, str | None] | None = None,
) -> Iterator[Diagnosis]:
    """Look at everything that a save needs, one thing after the other, as a stream.

    One thing that fails never keeps the others from being looked at where they still can be. What
    it writes, to the workspace's control folder and below ``.nbvc/scratch/`` in a prepared store,
    it removes again. Its texts hold no secret, no login name and no name of the machine.

    Args:
        environment: Surroundings.
        url: A store to look at in place of the workspace's.
        flags: Settings from the command line.

    Raises:
        InvalidInput: *url* is no store.
    """
    public = PublicText(environment)
    chosen = _store_url(url, environment.cwd) if url is not None else None
    return (_publish(examine(check), public) for check in _Rounds(environment, chosen, flags))


def exit_code(found: Iterable[Diagnosis]) -> int:
    """Return the exit status of the first failure; 0 where nothing failed."""
    return next((each.exit_code for each in found if each.health is Health.FAILED), 0)


class _Rounds:
    """The checks in their order. Later ones depend on what earlier ones found."""

    def __init__(
        self,
        environment: Environment,
        url: str | None,
        flags: Mapping[str, str | None] | None,
    ) -> None:
        self._environment = environment
        self._url = url
        self._flags = flags
        self._folder = find_workspace(environment.cwd)

    def __iter__(self) -> Iterator[Check]:
        folder = self._folder
        yield "versions", here.versions
        yield "configuration", lambda: here.configuration(self._session, self._url_or_none)
        yield "workspace", lambda: here.workspace(folder, named=self._url is not None)
        if folder is not None:
            yield "file-system", lambda: here.file_system(folder, self._environment)
        yield from self._store_checks()
        if folder is not None:
            yield "outbox", lambda: here.outbox(folder)

    @cached_property
    def _session(self) -> Session:
        return Session(self._environment, self._folder, self._flags)

    @property
    def _url_or_none(self) -> str | None:
        try:
            return self._store()[1]
        except NbvcError:
            return None

    def _store(self) -> tuple[Session, str | None]:
        """Return which store to look at, and the settings to do it with."""
        if self._url is not None:
            try:
                return self._session, self._url
            except InvalidConfig:  # the workspace's own file does not matter here
                return Session(self._environment, None, self._flags), self._url
        if self._folder is None:
            return self._session, None
        with closing(Workspace(self._session)) as workspace:
            return self._session, workspace.store_url

    def _store_checks(self) -> Iterator[Check]:
        try:
            session, url = self._store()
        except NbvcError:
            yield (
                "reachability",
                lambda: unknown("The configuration cannot be used, so no store was asked."),
            )
            return
        if url is None:
            return
        try:
            doctor = (
                BucketDoctor(session, url)
                if url.startswith(S3_SCHEME)
                else FolderDoctor(session, url)
            )
        except InvalidInput as error:
            yield "reachability", partial(failed, error)
            return
        yield from doctor.checks()


def _publish(found: Diagnosis, public: PublicText) -> Diagnosis:
    return replace(
        found,
        found=public.clean(found.found),
        hint=public.clean(found.hint) if found.hint else None,
        details=tuple(map(public.clean, found.details)),
    )


def _store_url(url: str, cwd: Path) -> str:
    """Return the URL of the store that the user typed; errors repeat nothing secret of it."""
    if url.startswith(FILE_SCHEME):
        return parse_folder(url).as_uri()
    if "://" in url:
        parse_s3_url(url)
        return url.rstrip("/")
    return usable_folder(cwd, url).as_uri()
