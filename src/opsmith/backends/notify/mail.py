"""Notices by e-mail; later ones of an incident answer the first, so a reader sees one thread."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.seams.notify import Notice

TIMEOUT_S = 20.0


class MailNotify:
    """Sends through one server. url: `smtp://[USER:PASSWORD@]HOST[:PORT]` or `smtps://…`.

    `smtp` takes STARTTLS when the server offers it, and never sends a password without TLS.
    """

    def __init__(self, url: str, *, sender: str, to: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not to:
            raise BadInput(
                "A mail receiver has a url smtp://HOST or smtps://HOST and a list `to`."
            )
        self._parts = parts
        self._sender = sender
        self._to = to

    async def send(self, notice: Notice, *, handle: str) -> str:
        """Deliver one notice; see `seams.notify.Notify`."""
        message = self._message(notice, handle)
        await asyncio.to_thread(self._deliver, message)
        return handle or str(message["Message-ID"])

    def _message(self, notice: Notice, handle: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(self._to)
        message["Subject"] = f"[opsmith] {notice.title}"[:200].replace("\n", " ")
        message["Date"] = format_datetime(notice.at)
        domain = self._sender.rpartition("@")[2]
        message["Message-ID"] = f"<{notice.incident}.{notice.revision}@{domain}>"
        if handle:
            message["In-Reply-To"] = handle
            message["References"] = handle
        message.set_content("\n".join((*notice.lines, notice.link)).rstrip() + "\n")
        return message

    def _deliver(self, message: EmailMessage) -> None:
        try:
            with self._open() as server:
                if self._parts.username:
                    server.login(
                        unquote(self._parts.username), unquote(self._parts.password or "")
                    )
                server.send_message(message)
        except (
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPSenderRefused,
            smtplib.SMTPDataError,
        ) as error:
            raise BadAnswer(f"The mail server refuses the message: {str(error)[:200]}.") from error
        except smtplib.SMTPAuthenticationError as error:
            raise BadAnswer("The mail server does not let us in.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"The mail server did not answer ({str(error)[:200]}).") from error

    def _open(self) -> smtplib.SMTP:
        host = str(self._parts.hostname)
        tls = ssl.create_default_context()
        if self._parts.scheme == "smtps":
            return smtplib.SMTP_SSL(host, self._parts.port or 465, timeout=TIMEOUT_S, context=tls)
        server = smtplib.SMTP(host, self._parts.port or 25, timeout=TIMEOUT_S)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=tls)
        elif self._parts.username:
            server.close()
            raise smtplib.SMTPNotSupportedError("no TLS, and a password is set")
        return server
