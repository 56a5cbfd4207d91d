"""What plugins bring, and how little harm a bad one does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from launchyard.plugins.factory import FactoryError, make
from launchyard.plugins.manager import Plugins, Rules
from launchyard.plugins.specs import Place
from launchyard.ports.plugins import Fault, PluginView

Install = Callable[..., None]

GOOD = """
@hookimpl
def builders():
    return [builder("oven")]
"""


def view(plugins: Plugins, name: str) -> PluginView:
    """Return what is told about one plugin."""
    return next(row for row in plugins.listing() if row.name == name)


def fault(plugins: Plugins) -> Fault:
    """Return the only fault, and see that the built-in plugins are well."""
    (found,) = plugins.faults()
    assert {"git", "archive"} <= set(plugins.sources)
    return found


def test_an_installed_plugin_brings_its_own(install: Install) -> None:
    """Installing is all that it takes."""
    install("bakery", GOOD)
    plugins = Plugins()
    assert "oven" in plugins.builders
    assert plugins.faults() == ()
    assert view(plugins, "bakery") == PluginView(
        name="bakery", origin="ly-bakery", version="1.2", state="on", brings=("builder oven",)
    )
    known = plugins.known_types()
    assert "oven" in known.builders
    assert {"builder.kaniko", "targets.vertex"} <= known.absent
    assert not known.absent & {"builder.oven", "builder.venv", "targets.local-process"}


def test_a_broken_plugin_is_reported_and_not_fatal(install: Install) -> None:
    """An import that fails costs the plugin and nobody else."""
    install("bakery", GOOD)
    install("ruin", "raise RuntimeError('no flour\\nsecond line')")
    plugins = Plugins()
    assert fault(plugins) == Fault(plugin="ruin", hook="", message="raised RuntimeError: no flour")
    assert view(plugins, "ruin").state == "broken"
    assert "oven" in plugins.builders


def test_a_plugin_that_exits_is_only_broken(install: Install) -> None:
    """`sys.exit` in a plugin does not end the agent."""
    install("quitter", "raise SystemExit(3)")
    assert "SystemExit" in fault(Plugins()).message


def test_a_misspelt_hook_is_told(install: Install) -> None:
    """A hook that nobody would ever call is a mistake, and the right name is near."""
    install("bakery", GOOD.replace("builders", "bilders"))
    plugins = Plugins()
    assert "did you mean `builders`?" in fault(plugins).message
    assert "oven" not in plugins.builders


def test_a_hook_with_arguments_of_its_own_is_told(install: Install) -> None:
    """A hook that wants what it is not given cannot be called."""
    install("bakery", GOOD.replace("builders()", "builders(flour)"))
    assert "does not fit the hooks" in fault(Plugins()).message


def test_a_wrapper_is_refused(install: Install) -> None:
    """No plugin may change what another brings."""
    install("bakery", "@hookimpl(wrapper=True)\ndef builders():\n    return (yield)[:0]\n")
    assert "wraps `builders`" in fault(Plugins()).message


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("launchyard_api = 0", "upgrade the plugin"),
        ("launchyard_api = 99", "upgrade launchyard"),
        ("del launchyard_api", "set launchyard_api = 1"),
    ],
)
def test_a_plugin_for_other_hooks_is_refused(install: Install, line: str, remedy: str) -> None:
    """Hooks change; a plugin that was made for others says so before it fails."""
    install("bakery", f"{line}\n{GOOD}")
    assert remedy in fault(Plugins()).message


def test_a_slow_hook_is_abandoned(install: Install) -> None:
    """A hook that never returns costs its time limit, once, and its plugin is off."""
    install("sloth", f"import threading\n{GOOD}".replace("return", "threading.Event().wait();"))
    plugins = Plugins(Rules(limit_s=2.0))
    assert fault(plugins) == Fault(
        plugin="sloth",
        hook="builders",
        message="gave no answer within 2 s and was abandoned",
    )
    assert view(plugins, "sloth").state == "broken"


def test_a_slow_import_is_abandoned(install: Install) -> None:
    """An import that never ends is a broken plugin, too."""
    install("sloth", "import threading\nthreading.Event().wait()")
    assert "abandoned" in fault(Plugins(Rules(limit_s=2.0))).message


def test_a_raising_hook_switches_the_plugin_off(install: Install) -> None:
    """What it brought by other hooks is not asked for any more."""
    install(
        "bakery",
        GOOD.replace("return", "raise OSError('cold');") + GOOD.replace("builders", "sources"),
    )
    plugins = Plugins()
    assert fault(plugins).message == "raised OSError: cold"
    assert view(plugins, "bakery").brings == ()


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("[42]", "gave a int instead of a BuilderProvider"),
        ("[builder('Bad Name')]", "use lower-case letters"),
        ("[builder('oven'), builder('oven')]", "builder `oven` is there already"),
        ("7", "raised TypeError"),
    ],
)
def test_what_is_no_descriptor_is_left_out(install: Install, answer: str, wrong: str) -> None:
    """A hook may return descriptors with good and unused names, nothing else."""
    install("bakery", GOOD.replace('[builder("oven")]', answer))
    assert wrong in fault(Plugins()).message


def test_the_first_of_two_with_one_name_stays(install: Install) -> None:
    """Nobody takes over a name by being installed later; the built-in ones are first."""
    install(
        "thief",
        GOOD.replace("builders", "sources")
        .replace(
            "[builder(",
            "[SourceProvider("
            "config=Block(key='x', doc='x'), doc='x', make=None, process='build', name=",
        )
        .replace("oven", "git"),
    )
    plugins = Plugins()
    assert fault(plugins).message == "source `git` is there already"
    assert plugins.sources["git"].make is not None


def test_a_plugin_cannot_take_a_plugins_name(install: Install) -> None:
    """An entry point named like a built-in plugin is left out."""
    install("sources", GOOD)
    plugins = Plugins()
    assert fault(plugins).message == "has the name of another plugin (built-in)"
    assert "oven" not in plugins.builders


def test_denied_plugins_are_not_even_imported(install: Install) -> None:
    """Deny means that none of its code runs; it is listed as off. Built-in ones obey, too."""
    install("ruin", "raise RuntimeError('ran')")
    plugins = Plugins(Rules(deny=("ruin", "sources")))
    assert view(plugins, "ruin").state == "off"
    assert plugins.faults() == ()
    assert "git" not in plugins.sources


def test_only_allowed_plugins_are_loaded(install: Install) -> None:
    """A list of allowed plugins keeps others out, and the built-in ones stay."""
    install("bakery", GOOD)
    install("ruin", "raise RuntimeError('ran')")
    plugins = Plugins(Rules(allow=("bakery",)))
    assert plugins.faults() == ()
    assert "oven" in plugins.builders
    assert "git" in plugins.sources


def test_a_name_in_a_list_that_nobody_has_is_told() -> None:
    """A slip in the deny list would let in what it should keep out."""
    (found,) = Plugins(Rules(deny=("bakry",))).faults()
    assert found.plugin == "bakry"
    assert "is not installed; there are" in found.message


def test_faults_are_told_as_they_are_found(install: Install) -> None:
    """Who counts and logs them hears of each."""
    install("ruin", "raise RuntimeError('no flour')")
    heard: list[Fault] = []
    plugins = Plugins(told=heard.append)
    assert tuple(heard) == plugins.faults() != ()


def test_a_factory_that_fails_says_so(install: Install) -> None:
    """An adapter that refuses its settings gives one error with its words."""
    install("bakery", GOOD)
    with pytest.raises(FactoryError, match="`oven` cannot be used: ValueError: no such disk"):
        make(Plugins().builders["oven"], Place(folder="/nowhere"))


def test_a_missing_package_is_told_before_the_import(install: Install) -> None:
    """The remedy is the line to run, and the configuration's check knows it, too."""
    install("bakery", GOOD.replace('"oven"', '"oven", modules=("flour.wheat",), extra="aws"'))
    plugins = Plugins()
    with pytest.raises(FactoryError, match=r"pip install 'launchyard\[aws\]'"):
        make(plugins.builders["oven"], Place(folder="/nowhere"))
    assert plugins.known_types().missing == {"builder.oven": "aws"}


def test_listing_imports_no_adapter() -> None:
    """What is there is known without loading any of it."""
    code = (
        "import sys; from launchyard.plugins.manager import Plugins; Plugins();"
        "bad = [m for m in sys.modules if m.startswith('launchyard.adapters.')];"
        "sys.exit(' '.join(bad) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
