"""Options describe themselves, hide what is secret, and a mistake in them is found by the core."""

from __future__ import annotations

import msgspec

from event_brokers.errors import ConfigurationError
from event_brokers.option_types import in_words, secret_types
from event_brokers.options import Options, describe
from event_brokers.secret import means_secret
from event_brokers.testing import contract
from event_brokers.testing.answers import Answers
from event_brokers.testing.check import check
from event_brokers.testing.contract import fail, hold

_UNKNOWN = "no_plugin_has_this_option"
_PLACES = ("_url", "_file", "_path")  # where a secret comes from is none
_TEXTS = ("text", "list of text", "anything")


class OptionChecks(Answers):
    """Options describe themselves."""

    @check(hooks=("options",))
    def test_every_option_is_described(self) -> None:
        """Every option has a line that says what it does."""
        silent = [each.name for each in describe(self._options_class()) if not each.text.strip()]
        hold(
            not silent,
            f"the options class says nothing of {', '.join(silent)}",
            contract.DESCRIBED,
        )

    @check(hooks=("options",))
    def test_what_is_named_a_secret_is_one(self) -> None:
        """A text whose name says password, token or secret is of type Secret."""
        shown = find_shown_secrets(self._options_class())
        hold(
            not shown,
            f"{', '.join(shown)} would be shown in logs; make the type event_brokers.Secret",
            contract.SECRETS,
        )

    @check(hooks=("options",))
    def test_an_unknown_option_is_refused(self) -> None:
        """An option that the plugin does not have is a ConfigurationError before connecting."""
        try:
            self.subject.settings({**self.options(), _UNKNOWN: "x"})
        except ConfigurationError as error:
            hold(
                _UNKNOWN in str(error),
                "the error about an unknown option does not name it",
                contract.UNKNOWN_OPTIONS,
            )
            return
        fail("an option that the plugin does not have was accepted", contract.UNKNOWN_OPTIONS)

    @check(hooks=("options",))
    def test_options_do_not_change_when_they_are_read(self) -> None:
        """The same section read twice is the same options, and hides the same secrets."""
        one, other = (self.subject.settings(self.options()) for _ in range(2))
        hold(
            one.options == other.options and one.place() == other.place(),
            "the options that were read twice are not equal",
            contract.UNKNOWN_OPTIONS,
        )

    def _options_class(self) -> type[Options]:
        found = self.subject.plugin.options_class
        assert found is not None
        return found


def find_shown_secrets(options: type[Options]) -> list[str]:
    """Return the options that hold a secret by their names, and would be shown.

    Parameters:
        options: of a plugin.
    """
    return [
        field.encode_name
        for field in msgspec.structs.fields(options)
        if means_secret(field.encode_name)
        and not field.encode_name.endswith(_PLACES)
        and not secret_types(field.type)
        and _holds_text(field.type)
    ]


def _holds_text(annotation: object) -> bool:
    return any(word in in_words(msgspec.inspect.type_info(annotation)) for word in _TEXTS)
