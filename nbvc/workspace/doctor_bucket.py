"""What the doctor looks at in a bucket and on the way there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from nbvc.errors import (
    AccessDenied,
    ClockSkewed,
    CredentialsExpired,
    CredentialsMissing,
    NbvcError,
    StoreError,
    StoreMisconfigured,
    StoreNotFound,
    VersioningOff,
)
from nbvc.manifest.layout import INDEX_FOLDER, SCRATCH_PREFIX, Layout
from nbvc.repository.settings import StoreSettings, read_settings
from nbvc.stores.opening import find_s3, parse_s3_url
from nbvc.text import typed
from nbvc.workspace.diagnosis import Check, Diagnosis, failed, unknown, warning, well
from nbvc.workspace.doctor_trial import Trial

if TYPE_CHECKING:
    from nbvc.stores.base import Store
    from nbvc.stores.s3 import S3Store
    from nbvc.stores.s3_lifecycle import LifecycleRule
    from nbvc.workspace.session import Session

MAX_SKEW = timedelta(minutes=3)
"""kopia's bound; times in a log are of little use beyond it."""
REFUSED_SKEW = timedelta(minutes=15)
"""From here on S3 refuses a signed request (API Reference, "RequestTimeTooSkewed")."""

_SET_CLOCK = "Set the clock, for example: timedatectl set-ntp true"


class BucketDoctor:
    """Looks at one store in a bucket.

    Args:
        session: Settings and surroundings.
        url: URL of the store.

    Raises:
        InvalidInput: It is none.
    """

    def __init__(self, session: Session, url: str) -> None:
        parse_s3_url(url)
        self._session = session
        self._url = url
        self._opened: Store | None = None
        self._settings: StoreSettings | None = None
        self._out_of_reach: NbvcError | None = None
        self._trial: Trial | None = None

    def checks(self) -> Iterator[Check]:
        """Yield the checks in their order, and close the store in the end."""
        try:
            yield "credentials", self._credentials
            yield "reachability", self._reachability
            for name, look in (
                ("versioning", self._versioning),
                ("conditional-writes", self._conditional_writes),
                ("lifecycle", self._lifecycle),
                ("object-lock", self._object_lock),
            ):
                yield name, self._if_reached(look)
            yield "clock", self._clock
            yield "round-trip", self._if_reached(self._round_trip)
        finally:
            if self._opened is not None:
                self._opened.close()

    # -- the way there --------------------------------------------------------------------------

    def _credentials(self) -> Diagnosis:
        """Return where the credentials come from; never a value of theirs.

        Raises:
            CredentialsMissing: There are none.
            InvalidConfig: The AWS configuration, or the address of the server, cannot be used.
        """
        try:
            return well(f"From {self._s3().connection.credentials_kind()}.")
        except NbvcError as error:
            self._out_of_reach = error
            raise

    def _reachability(self) -> Diagnosis:
        """Return whether the server answers, and what ``store.json`` says.

        Raises:
            NbvcError: It does not answer, or refuses.
        """
        if self._out_of_reach is not None:
            return _not_reached()
        environment = self._session.environment
        begun = environment.now()
        try:
            self._settings = read_settings(self._store())
        except (StoreError, StoreNotFound, CredentialsMissing, CredentialsExpired) as error:
            self._out_of_reach = error
            raise
        seconds = (environment.now() - begun).total_seconds()
        connection = self._s3().connection
        found = (
            f"{connection.endpoint} (region {connection.region}) answers in {seconds:.2f} seconds"
        )
        if self._settings is None:
            return warning(
                f"{found}; the store was never prepared.", f"nbvc init {typed(self._url)}"
            )
        return well(f"{found}; the store was prepared on {self._settings.created_at:%Y-%m-%d}.")

    def _clock(self) -> Diagnosis:
        """Return how far this machine's clock is from the store's.

        Raises:
            ClockSkewed: So far that S3 refuses every request.
        """
        if self._out_of_reach is not None and not isinstance(self._out_of_reach, ClockSkewed):
            return _not_reached()
        environment = self._session.environment
        before = environment.now()
        there = self._s3().administration.server_time()
        here = before + (environment.now() - before) / 2
        if there is None:
            return unknown("The store does not say what time it is there.")
        skew = here - there
        size = abs(skew)
        if size <= timedelta(seconds=2):  # the store says whole seconds
            return well("This machine's clock and the store's agree.")
        seconds = f"{round(size.total_seconds())} seconds"
        found = f"This machine's clock is {seconds} {'ahead of' if here > there else 'behind'} "
        if size > REFUSED_SKEW:
            raise ClockSkewed(f"{found}the store's, which S3 refuses.", hint=_SET_CLOCK)
        if size > MAX_SKEW:
            return warning(f"{found}the store's.", _SET_CLOCK)
        return well(f"{found}the store's.")

    # -- the bucket -----------------------------------------------------------------------------

    def _versioning(self) -> Diagnosis:
        """Return whether older versions are kept: as the bucket says, and as writes show.

        Raises:
            VersioningOff: They are not.
        """
        bucket = self._s3().administration
        said: str | None = None
        unsaid: AccessDenied | None = None
        try:
            said = bucket.versioning_status()
        except AccessDenied as error:
            unsaid = error
        tried = self._tries().tried
        if isinstance(tried.error, VersioningOff):
            return failed(tried.error, f"The bucket says: {said or 'nothing that you may read'}.")
        if tried.capabilities is not None:
            if said in {None, "Enabled"}:
                says = "says that it is on" if said else "does not let you read that it is on"
                return well(f"Writes show that older versions are kept; the bucket {says}.")
            return warning(
                f"Writes show that older versions are kept, but the bucket says: {said}.",
                f"nbvc init {typed(self._url)} --create turns versioning on.",
            )
        if unsaid is not None:
            return unknown("The bucket does not let you read or try it.", unsaid.hint)
        if said != "Enabled":
            raise VersioningOff(
                f"The bucket says that its versioning is {str(said).lower()}.",
                hint=f"nbvc init {typed(self._url)} --create turns it on.",
            )
        return well("The bucket says that it is on; it was not tried by writing.")

    def _conditional_writes(self) -> Diagnosis:
        return self._tries().conditional_writes()

    def _lifecycle(self) -> Diagnosis:
        """Return which lifecycle rules would hide, destroy or archive what the store keeps."""
        try:
            rules = self._s3().administration.lifecycle_rules()
        except (AccessDenied, StoreMisconfigured) as error:
            return unknown(f"The rules cannot be read: {error.message}", error.hint)
        harm = [line for rule in rules for line in self._harm(rule)]
        if not harm:
            return well("No rule hides, destroys or archives what this store keeps.")
        bucket = self._s3().bucket
        return warning(
            "Lifecycle rules of the bucket work against this store.",
            "Limit or remove them; they are shown by: aws s3api "
            f"get-bucket-lifecycle-configuration --bucket {bucket}",
            *harm,
        )

    def _harm(self, rule: LifecycleRule) -> Iterator[str]:
        """Yield what *rule* does to each part of the store."""
        root = f"{self._s3().root}/".lstrip("/")
        if rule.prefix.startswith(root + SCRATCH_PREFIX):
            return
        layout = self._settings.layout if self._settings else Layout()
        for prefix in (f"{layout.workspace}/", f"{layout.published}/", f"{INDEX_FOLDER}/"):
            if not rule.concerns(root + prefix):
                continue
            for what, when in (
                ("destroys older versions", rule.destroys),
                ("hides what is current", rule.hides),
                ("moves to an archive that cannot be read at once", rule.archives),
            ):
                if when:
                    yield f"Rule {rule.name!r}, {prefix}: {what} {when}."

    def _object_lock(self) -> Diagnosis:
        """Return whether the bucket can do what the store's setting asks for.

        Raises:
            StoreMisconfigured: It cannot, so saves are refused.
        """
        lock = self._settings.lock if self._settings else None
        bucket = self._s3().administration
        try:
            found = bucket.object_lock()
        except (AccessDenied, StoreMisconfigured) as error:
            if lock is None:
                return unknown("The setting of the bucket cannot be read.", error.hint)
            return unknown(
                f"store.json asks for {lock}; the setting of the bucket cannot be read.", error.hint
            )
        default = found.default
        own = f" The bucket itself locks everything for {default.period}." if default else ""
        if lock is None:
            return well(f"Versions are not locked.{own}")
        if not found.enabled:
            raise StoreMisconfigured(
                f"store.json asks for locks of {lock}, and the bucket has no Object Lock: it "
                "refuses every save.",
                hint="Its owner can turn it on, for good: aws s3api put-object-lock-configuration "
                f"--bucket {bucket.name} --object-lock-configuration ObjectLockEnabled=Enabled",
            )
        return well(f"New versions are locked for {lock}.{own}")

    def _round_trip(self) -> Diagnosis:
        return self._tries().round_trip()

    # -- helpers --------------------------------------------------------------------------------

    def _if_reached(self, look: Callable[[], Diagnosis]) -> Callable[[], Diagnosis]:
        return lambda: _not_reached() if self._out_of_reach is not None else look()

    def _store(self) -> Store:
        if self._opened is None:
            self._opened = self._session.open_store(self._url)
        return self._opened

    def _s3(self) -> S3Store:
        found = find_s3(self._store())
        assert found is not None
        return found

    def _tries(self) -> Trial:
        if self._trial is None:
            self._trial = Trial(self._store(), self._settings, self._session.environment)
        return self._trial


def _not_reached() -> Diagnosis:
    return unknown("Not looked at, for the store was not reached.")
