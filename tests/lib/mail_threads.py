# SPDX-License-Identifier: Apache-2.0
"""Threads of made-up mails, as an archive of a mailing list exports them."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DANA = "Dana Example <dana@example.org>"
KIM = "Kim Reviewer <kim@example.org>"

DIFF = """\
diff --git a/{name} b/{name}
new file mode 100644
--- /dev/null
+++ b/{name}
@@ -0,0 +1 @@
+{text}
"""


@dataclass(frozen=True)
class Post:
    """A mail: *parent* is the id of the one it answers; *adds* what its diff adds, if any."""

    subject: str
    message_id: str
    parent: str = ""
    adds: str = ""
    body: str = "Why.\n"
    sender: str = DANA

    @property
    def text(self) -> str:
        """The mail, without a ``From`` line."""
        above = f"In-Reply-To: <{self.parent}>\n" if self.parent else ""
        name = f"{self.adds.partition(' ')[0]}.txt"
        diff = f"---\n{DIFF.format(name=name, text=self.adds)}" if self.adds else ""
        return (
            f"From: {self.sender}\nSubject: {self.subject}\n"
            f"Date: Mon, 1 Jun 2026 10:00:00 +0000\nMessage-ID: <{self.message_id}>\n{above}"
            f"Content-Type: text/plain; charset=UTF-8\n\n{self.body}{diff}-- \n2.45.0\n"
        )


def mbox(*posts: Post) -> bytes:
    """A mailbox as public-inbox writes it."""
    start = "From mboxrd@z Thu Jan  1 00:00:00 1970\n"
    return "".join(f"{start}{post.text}\n" for post in posts).encode()


def series(total: int, version: int = 1, root: str = "", cover: bool = True) -> list[Post]:
    """A series as ``git send-email`` posts it; ``v2-1`` is the id of its first patch."""
    said = f" v{version}" if version > 1 else ""
    top = f"v{version}-{0 if cover else 1}"
    posts = [
        Post(
            f"[PATCH{said} {number}/{total}] change {number}",
            f"v{version}-{number}",
            root if f"v{version}-{number}" == top else top,
            adds=f"{number} of version {version}",
        )
        for number in range(1, total + 1)
    ]
    letter = Post(f"[PATCH{said} 0/{total}] changes", f"v{version}-0", root)
    return [letter, *posts] if cover else posts


@contextmanager
def archive(
    mailbox: bytes, list_name: str = "some-list", fetched: list[str] | None = None
) -> Iterator[str]:
    """Serve *mailbox* as the thread of each of its messages; yield the URL of the list.

    The paths of the threads that are served are added to *fetched*.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.endswith("/t.mbox.gz") or "unknown" in self.path:
                self.send_error(404)
                return
            if fetched is not None:
                fetched.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(gzip.compress(mailbox))

        def do_HEAD(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}{self.path}/")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{list_name}"
        finally:
            server.shutdown()
            thread.join()
