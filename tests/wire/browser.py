"""browser: Chromium without a window, driven through chromedriver (W3C WebDriver)."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile

from lines import PATIENCE, Lines
from programs import need

# Nothing but the page: no sandbox for root, no calls home, no name but what stands for loopback.
SWITCHES = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-default-apps", "--disable-extensions",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")


class Browser:
    """One browser with a profile of its own, until `stop`."""

    def __init__(self):
        driver, chromium = need("chromedriver"), need("chromium")
        self.home = tempfile.TemporaryDirectory(prefix="interim-", ignore_cleanup_errors=True)
        profile = pathlib.Path(self.home.name) / "profile"
        switches = [*SWITCHES, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            switches.append("--no-sandbox")
        # A group of its own: whatever the driver starts ends with it.
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        start_new_session=True,
                                        env={**os.environ, "HOME": self.home.name})
        self.session = None
        try:
            self.lines = Lines(self.process.stdout)
            self.port = int(self.lines.wait(r"successfully on port (\d+)")[1])
            wanted = {"goog:chromeOptions": {"binary": chromium, "args": switches},
                      "timeouts": {"script": PATIENCE * 1000, "pageLoad": PATIENCE * 1000}}
            value = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = f"/session/{value['sessionId']}"
        except BaseException:
            self.stop()
            raise

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 2)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, text
        return json.loads(text)["value"]

    def open(self, url):
        self.ask("POST", f"{self.session}/url", {"url": url})

    def run(self, script):
        """What the script, in the page, resolves to."""
        script = ("const done = arguments[0];"
                  f"(async () => {script})().then(done, error => done(String(error)))")
        return self.ask("POST", f"{self.session}/execute/async", {"script": script, "args": []})

    def stop(self):
        try:
            if self.session is not None:
                self.ask("DELETE", self.session)
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.home.cleanup()
