"""The package for Debian: built, unpacked beside the machine's own files, and used from there."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTERIM_BUILD", ROOT / "build/release"))
INSTALL = ROOT / "core/process/install"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/interim",
    "zsh": "usr/share/zsh/vendor-completions/_interim",
    "fish": "usr/share/fish/vendor_completions.d/interim.fish",
}
MANUALS = ["usr/share/man/man1/interim.1.gz", "usr/share/man/man5/interim-policy.5.gz"]

for program in ("dpkg-deb", "dpkg-shlibdeps", "file"):
    if not shutil.which(program):
        # tests/run installs it; `--no-install` leaves tests out by name.
        pytest.skip(f"{program} is missing: install dpkg-dev and file", allow_module_level=True)


def run(*words, **keywords):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, **keywords)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    directory = tmp_path_factory.mktemp("package")
    run("cpack", "-G", "DEB", "-B", directory, cwd=BUILD)
    (package,) = directory.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def root(package, tmp_path_factory):
    """A folder that holds what a machine would, had it installed the package."""
    root = tmp_path_factory.mktemp("root")
    run("dpkg-deb", "-x", package, root)
    return root


@pytest.fixture(scope="module")
def interim(root):
    return root / "usr/bin/interim"


# ---- what dpkg is told ----

def test_it_depends_on_the_libraries_that_the_program_is_linked_with(package):
    needs = run("dpkg-deb", "-f", package, "Depends")
    for library in ("libc6", "libev4", "libhttp-parser2.9", "libluajit-5.1-2", "libseccomp2",
                    "libnettle8"):
        assert re.search(rf"\b{re.escape(library)}\b", needs), needs


def test_it_has_the_version_of_the_program(package, interim):
    version = run("dpkg-deb", "-f", package, "Version").strip()
    assert run(interim, "--version").split()[-1] == version.partition("-")[0]


def test_the_operators_policy_is_never_written_over(package, root, tmp_path):
    run("dpkg-deb", "-e", package, tmp_path / "control")
    listed = (tmp_path / "control/conffiles").read_text().split()
    there = [f"/{path.relative_to(root)}" for path in (root / "etc").rglob("*") if path.is_file()]
    assert listed == there == ["/etc/interim/policy.lua"]


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg gives files to root")
def test_dpkg_installs_replaces_and_removes_it(package, tmp_path):
    """Into a folder, of which the package's own scripts are told (DPKG_ROOT): they leave the services
    of the machine alone."""
    database = tmp_path / "var/lib/dpkg"
    for folder in ("info", "updates", "triggers"):
        (database / folder).mkdir(parents=True)
    (database / "status").touch()
    policy = tmp_path / "etc/interim/policy.lua"

    def dpkg(*words):
        run("dpkg", f"--root={tmp_path}", "--force-depends", "--force-script-chrootless",
            "--log=/dev/null", *words, stdin=subprocess.DEVNULL)

    dpkg("--install", package)
    policy.write_text(policy.read_text() + "-- the operator's own\n")
    dpkg("--install", package)
    assert policy.read_text().endswith("-- the operator's own\n")
    dpkg("--remove", "interim")
    assert policy.exists() and not (tmp_path / "usr/bin/interim").exists()
    dpkg("--purge", "interim")
    assert not policy.exists()


def test_without_a_package_no_policy_is_installed(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", "/opt/interim",
        env={**os.environ, "DESTDIR": str(tmp_path)})
    assert not (tmp_path / "etc").exists()
    unit = (tmp_path / "opt/interim/lib/systemd/system/interim.service").read_text()
    assert "ExecStart=/opt/interim/bin/interim run" in unit


def test_zsh_looks_where_its_completion_is_installed_without_a_package(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", "/usr/local",
        env={**os.environ, "DESTDIR": str(tmp_path)})
    assert (tmp_path / "usr/local/share/zsh/site-functions/_interim").is_file()
    assert not (tmp_path / "usr/local/share/zsh/vendor-completions").exists()


# ---- the program, as installed ----

@pytest.fixture
def origin():
    process = subprocess.Popen([sys.executable, "-B", str(ROOT / "examples/origin.py"), "0"],
                               stdout=subprocess.PIPE, text=True)
    yield int(process.stdout.readline())
    process.kill()
    process.wait()


def test_it_serves_under_its_default_policy(root, interim, origin, tmp_path):
    """Only the ports are other ones: those that it names may be in use."""
    text = (root / "etc/interim/policy.lua").read_text()
    assert '"127.0.0.1:8080"' in text and '"127.0.0.1:9000"' in text
    policy = tmp_path / "policy.lua"
    policy.write_text(text.replace("127.0.0.1:8080", "127.0.0.1:0")
                      .replace("127.0.0.1:9000", f"127.0.0.1:{origin}"))
    process = subprocess.Popen([str(interim), "run", str(policy)], stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    try:
        ready = re.search(r"listening on (127\.0\.0\.1:\d+)", process.stderr.readline())
        with urllib.request.urlopen(f"http://{ready[1]}/", timeout=20) as answer:
            assert (answer.status, answer.read()) == (200, b"Hello from the origin.\n")
    finally:
        process.terminate()
        assert process.wait(40) == 0


def test_what_its_default_policy_suggests_is_good(root, interim, tmp_path):
    """Every line that is commented out, and begins as code does, taken in."""
    text = (root / "etc/interim/policy.lua").read_text()
    text = re.sub(r'(?m)^  upstream = "127.0.0.1:9000",.*$', "", text)
    policy = tmp_path / "policy.lua"
    policy.write_text(re.sub(r"(?m)^  --   (\w+ +?= )", r"  \1", text))
    assert policy.read_text().count("\n  request = ") == 1
    run(interim, "check", policy)


def test_its_units_name_the_installed_program(root):
    for unit in ("interim.service", "interim@.service"):
        text = (root / "usr/lib/systemd/system" / unit).read_text()
        assert set(re.findall(r"(?m)^Exec\w+=(\S+)", text)) == {"/usr/bin/interim"}
        assert "/etc/interim/policy.lua" in text


def test_its_annotations_are_those_of_the_program(root, interim):
    assert (root / "usr/share/interim/interim.d.lua").read_text() == run(interim, "types")


# ---- manuals and completions ----

@pytest.mark.parametrize("manual", MANUALS)
def test_a_manual_renders_without_a_warning(root, manual):
    if not shutil.which("man"):
        # As above: tests/run installs it.
        pytest.skip("man is missing: install man-db")
    done = subprocess.run(["man", "--warnings", "-l", str(root / manual)], capture_output=True,
                          text=True, env={**os.environ, "MANWIDTH": "80"}, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 100


@pytest.fixture(scope="module")
def words(interim):
    """All commands and options, as the program's own help has them."""
    tools = [run(interim, tool, "--help") for tool in ("try", "test", "types")]
    text = run(interim, "--help") + "".join(tools)
    words = set(re.findall(r"(?m)^  (--[a-z-]+|-[A-Z])\b", text))
    words |= set(re.findall(r"(?m)^  interim \[?([a-z]+)\b", text))
    words |= {"--help", "help"}
    assert len(words) > 20
    return words


def test_the_manual_has_every_command_and_option(words):
    text = (INSTALL / "interim.1").read_text().replace("\\-", "-")
    for word in words:
        name = word.lstrip("-")
        command, option = rf"Cm ([a-z]+ [|,] )*{name}\b", rf"Fl (\w , Fl )?-?{name}\b"
        wanted = option if word.startswith("-") else command
        assert re.search(wanted, text), f"{word} is not in interim.1"


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_a_completion_has_every_command_and_option(root, words, shell):
    text = (root / COMPLETIONS[shell]).read_text()
    for word in words:
        if shell == "fish":
            word = re.sub("^-(?=[A-Z])", "-s ", word).replace("--", "-l ")
        assert re.search(rf"(?<![\w-]){re.escape(word)}\b", text), f"{word} is not there"


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_a_completion_is_good_code(root, shell):
    if not shutil.which(shell):
        # As above: tests/run installs it.
        pytest.skip(f"{shell} is missing: install {shell}")
    run(shell, "-n", root / COMPLETIONS[shell])


@pytest.mark.parametrize("line,found", [
    ("interim re", {"reload"}),
    ("interim check --a", {"--allow"}),
    ("interim run p.lua --log-level d", {"debug"}),
    ("interim try p.lua P", {"POST", "PUT", "PATCH"}),
    ("interim try p.lua GET / --timeout pro", {"processing"}),
    ("interim test --t", {"--tap"}),
    ("interim pol", {"policy.lua"}),
])
def test_bash_completes(root, line, found, tmp_path):
    (tmp_path / "policy.lua").touch()
    script = f"""
        source {root / COMPLETIONS["bash"]}
        COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _interim interim
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = run("bash", "--norc", "-c", script, cwd=tmp_path)
    assert set(done.split()) == found


def bash_completes(file, line, cwd):
    return run("bash", "--norc", "-c", f"""
        source {file}
        COMP_WORDS=({line} '') COMP_CWORD={len(line.split())}
        _interim interim
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """, cwd=cwd)


def fish_completes(file, line, cwd):
    return run("fish", "--no-config", "-c", f"source {file}; complete -C '{line} '", cwd=cwd)


def zsh_completes(file, line, cwd):
    """zsh completes on a terminal only. What it would show there goes into a file, too."""
    (cwd / ".zshrc").write_text(f"""
        fpath=({file.parent} $fpath)
        autoload -U compinit; compinit -u -D
        compadd() {{
            local -a words
            [[ " ${{@[1,(i)(-|--)]}}" == *" -"[OAD]" "* ]] || builtin compadd -A words "$@"
            print -rl -- $words >>offered
            builtin compadd "$@"
        }}
        zle-line-init() {{ BUFFER='{line} ' CURSOR=99; zle expand-or-complete 2>>offered; exit }}
        zle -N zle-line-init
    """)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe("zsh", ["zsh", "-d", "-i"], {**os.environ, "ZDOTDIR": str(cwd), "TERM": "dumb"})
    seen = b""
    while True:
        assert select.select([terminal], [], [], 30)[0], seen
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # it has ended
            break
    os.close(terminal)
    os.waitpid(pid, 0)
    return (cwd / "offered").read_text()


COMPLETES = {"bash": bash_completes, "fish": fish_completes, "zsh": zsh_completes}


@pytest.fixture(params=COMPLETIONS)
def completes(root, tmp_path, request):
    """completes(line): the words that a shell offers behind it, and what it says beside them."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is missing: install {request.param}")
    file = root / COMPLETIONS[request.param]
    return lambda line: COMPLETES[request.param](file, line, tmp_path).split()


def test_a_shell_offers_every_command(completes):
    assert set(completes("interim")) >= {"run", "check", "reload", "upgrade", "status", "top", "try",
                                         "test", "types", "help"}


def test_a_shell_offers_the_processes_that_can_be_asked_and_no_workers(completes, interim, origin):
    process = subprocess.Popen([interim, "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9",
                                "--workers", "2"], stderr=subprocess.PIPE, text=True)
    try:
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        workers = run("pgrep", "-P", process.pid).split()
        for command in ("reload", "upgrade", "status", "top"):
            offered = completes(f"interim {command}")
            assert str(process.pid) in offered
            assert not set(offered) & set(workers)
    finally:
        process.kill()
        process.wait()


def rows(section):
    """The names in the first column of the tables of a section of lua/README.md."""
    text = (ROOT / "lua/README.md").read_text()
    text = re.search(rf"(?ms)^## {section}\n(.*?)^## ", text)[1]
    cells = re.findall(r"(?m)^\| (`[^|]+) \|", text)
    return {name.split(".")[0] for cell in cells for name in re.findall(r"`(\w[\w.]*)`", cell)}


def settings(table):
    """The names in a table of the policy that spells out all defaults."""
    text = (ROOT / "lua/README.md").read_text().partition("This policy spells out every timeout")[2]
    text = re.search(rf"(?ms)^  {table} = {{(.*?)^  }},", text)[1]
    return set(re.findall(r"(?m)^    (\w+) +=", text))


def test_the_manual_of_policies_has_every_field_timeout_and_limit():
    text = (ROOT / "lua/interim-policy.5").read_text()
    wanted = rows("Data fields") | rows("req: the request")
    wanted |= settings("timeouts") | settings("limits")
    wanted |= {"request", "expect", "upgrade", "timeout", "error", "response", "log"}
    assert len(wanted) > 50
    there = set(re.findall(r"\w+", " ".join(re.findall(r"(?m)^\.(?:It )?(?:Ic|Fn) .*$", text))))
    assert wanted <= there, wanted - there
