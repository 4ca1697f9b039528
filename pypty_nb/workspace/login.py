"""Who may see a page that is served with a token: a login of our own, which asks for the token and nothing else."""

from __future__ import annotations

import hmac
from importlib.resources import files
from string import Template
from typing import Any

from jupyter_server.auth.identity import User
from jupyter_server.utils import url_escape
from tornado.escape import xhtml_escape
from tornado.web import RequestHandler
from voila.voila_identity_provider import VoilaIdentityProvider, VoilaLoginHandler

_WRONG = "This is not the token. The command that serves the page was given it."


class LoginPage(VoilaLoginHandler):
    """The form; everything else is the server's."""

    def render_template(self, name: str, **values: Any) -> str:
        """The login page, whatever template is asked for; nothing of it comes from elsewhere."""
        page = Template(files("pypty_nb.workspace").joinpath("login.html").read_text(encoding="utf-8"))
        wrong = _WRONG if values.get("message") else ""
        action = f"{self.base_url}login?next={values.get('next') or url_escape(self.base_url)}"
        return page.substitute(action=xhtml_escape(action), xsrf=self.xsrf_form_html(), wrong=wrong)


class TokenLogin(VoilaIdentityProvider):
    """Admits who shows the token, in the form or as ``?token=`` in the address; a signed cookie remembers them."""

    def get_handlers(self) -> list[tuple[str, object]]:
        """The login page."""
        return [(r"/login", LoginPage), (r"/logout", self.logout_handler_class)]

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """A user where the token typed is the one asked for, compared in constant time."""
        typed = handler.get_argument("password", default="") or ""
        if self.token and hmac.compare_digest(typed.encode(), self.token.encode()):
            return self.generate_anonymous_user(handler)
        return None
