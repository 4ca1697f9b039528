"""What every table is."""

from __future__ import annotations

from typing import cast

import param

from pypty_nb.params.fields import Field


class Table(param.Parameterized):
    """One table of the parameters' document; its parameters are declared in the document's order."""

    title: str = ""

    @classmethod
    def fields(cls) -> dict[str, Field]:
        """The parameters by name, in the order they are declared."""
        return {name: cast(Field, cls.param[name]) for name in cls.param if name != "name"}
