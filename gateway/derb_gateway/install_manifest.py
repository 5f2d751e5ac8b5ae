"""What was installed, written down before it is done: an installation that was cut off can be taken back too."""

import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from derb_gateway.errors import StopError
from derb_gateway.install_changes import Change, under

MANIFEST = "/etc/derb/install.json"


class Manifest(BaseModel):
    """The changes in the order in which they were made; whether the user was made too."""

    version: int = 1
    made_user: bool = False
    stopped: list[str] = []
    changes: list[Change] = []

    @classmethod
    def load(cls, root: Path) -> "Manifest | None":
        """Return the manifest of this machine, None if nothing was installed. StopError if it cannot be read."""
        path = under(root, MANIFEST)
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{path}: cannot be read: {error}"
            raise StopError(msg) from None
        except ValidationError as error:
            msg = f"{path}: is not what `derb gateway install` wrote: {error.error_count()} mistakes; take away by hand"
            raise StopError(msg) from None

    def do(self, root: Path) -> None:
        """Make all changes, having written down what they are as soon as there is a folder for it. OSError."""
        is_saved = False
        for change in self.changes:
            if not is_saved and under(root, MANIFEST).parent.is_dir():
                self.save(root)
                is_saved = True
            change.do(root)

    def save(self, root: Path) -> None:
        """Write it down, on the disk when it returns."""
        path = under(root, MANIFEST)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(self.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def undo(self, root: Path, *, force: bool) -> list[str]:
        """Take all changes back, the last one first; return what had to stay and why. OSError."""
        under(root, MANIFEST).unlink(missing_ok=True)
        return [
            why for change in reversed(self.changes) if (why := change.undo(root, force=force)) is not None
        ]
