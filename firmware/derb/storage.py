"""The file system: mounted already in a stock image, at the first need in a custom one, in a normal wake never."""


class Storage:
    """Makes the file system ready; `mounted`: somebody did it before."""

    def __init__(self, mounted=True):
        self.mounted = mounted

    def ready(self, to_write=False):
        """Mount it if that is not done; raise OSError if it cannot be. One that is beyond mending is made anew to write on."""
        if self.mounted:
            return
        import vfs
        from flashbdev import bdev

        try:
            vfs.mount(vfs.VfsLfs2(bdev), "/")
        except OSError:
            if not to_write:
                raise
            # Twice the same: nothing on it can be read any more, and what waits to be written has no other place.
            try:
                vfs.mount(vfs.VfsLfs2(bdev), "/")
            except OSError:
                vfs.VfsLfs2.mkfs(bdev)
                vfs.mount(vfs.VfsLfs2(bdev), "/")
        self.mounted = True

    def try_ready(self):
        """Mount it if it can be; return whether it is there."""
        try:
            self.ready()
        except OSError:
            return False  # whoever asks so can do without
        return True
