"""What a diff leaves out."""

from __future__ import annotations

from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """What a diff leaves out.

    Attributes:
        ignore_outputs: Leave out the outputs of cells that both notebooks have.
        ignore_metadata: Leave out the metadata of notebook, cells and outputs.
        ignore_details: Leave out execution counts, cell ids and format numbers.
        source_only: All of these.
    """

    ignore_outputs: bool = False
    ignore_metadata: bool = False
    ignore_details: bool = False
    source_only: bool = False

    @property
    def without_outputs(self) -> bool:
        """Whether outputs are left out."""
        return self.ignore_outputs or self.source_only

    @property
    def without_metadata(self) -> bool:
        """Whether metadata is left out."""
        return self.ignore_metadata or self.source_only

    @property
    def without_details(self) -> bool:
        """Whether execution counts, ids and format numbers are left out."""
        return self.ignore_details or self.source_only
