"""What a person sees: the application, its forms and its views."""

from pypty_nb.widgets.app import app
from pypty_nb.widgets.form import Form

__all__ = ["Form", "app"]
