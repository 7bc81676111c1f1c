"""Everything that can be done with a store alone, without a local folder."""

from nbvc.repository.core import Repository
from nbvc.repository.listing import Listed
from nbvc.repository.publishing import Publication
from nbvc.repository.saving import Act, Draft, Known

__all__ = ["Act", "Draft", "Known", "Listed", "Publication", "Repository"]
