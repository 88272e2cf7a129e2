"""A headless Chromium, driven through its debugging pipe: nothing but the standard library is needed.

    with Browser() as browser:
        page = browser.open("file:///...", width=1280, dark=False)
        page.evaluate("document.title")
        page.click("#next")
        page.press("ArrowRight")
        page.screenshot("page.png")
        page.complaints        # messages of the console, exceptions, failed requests

As a program it takes a picture:  browser.py FILE.html PICTURE.png [WIDTH [HEIGHT [dark]]]
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 60


def find_browser():
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="hone-browser-")
        to_browser, self.writing = os.pipe()
        self.reading, from_browser = os.pipe()

        def connect():  # the browser reads commands from 3 and writes answers to 4
            high = [os.dup(to_browser), os.dup(from_browser)]
            while min(high) < 5:
                high = [os.dup(fd) for fd in high]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder}", "about:blank"],
            preexec_fn=connect, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.pages = 0, b"", {}
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.writing)
        os.close(self.reading)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _receive(self):
        while b"\0" not in self.rest:
            read = os.read(self.reading, 1 << 16)
            assert read, "the browser has ended"
            self.rest += read
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def send(self, method, session=None, **parameters):
        """Sends a command and waits for its answer; events on the way go to their pages."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, parameters, answer["error"])
                return answer["result"]
            page = self.pages.get(answer.get("sessionId"))
            if page:
                page.notice(answer["method"], answer["params"])

    def open(self, url, width, height=900, dark=False):
        return Page(self, url, width, height, dark)


class Page:
    def __init__(self, browser, url, width, height, dark):
        self.browser, self.complaints, self.loads = browser, [], 0
        self.target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(domain + ".enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.send("Page.navigate", url=url)
        self.wait_for_load(1)

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def notice(self, method, parameters):
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(f"console: {parameters['args']}")
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"log: {parameters['entry']['text']}")
        elif method == "Network.requestWillBeSent" and not parameters["request"]["url"].startswith(("file:", "data:")):
            self.complaints.append(f"request: {parameters['request']['url']}")

    def wait_for_load(self, loads):
        """Until the page has been loaded this many times."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.loads < loads:
            assert time.monotonic() < end, f"loaded {self.loads} times, not {loads}"
            self.send("Runtime.evaluate", expression="0")
            time.sleep(0.1)

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (expression, result["exceptionDetails"])
        return result["result"].get("value")

    def click(self, selector):
        """A click with the mouse in the middle of the element."""
        place = self.evaluate(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            if (!element) return null;
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        }})()""")
        assert place, f"there is no {selector}"
        self.mouse("mouseMoved", *place)
        self.mouse("mousePressed", *place, button="left", clickCount=1)
        self.mouse("mouseReleased", *place, button="left", clickCount=1)

    def mouse(self, kind, x, y, **parameters):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **parameters)

    def press(self, key, code=None):
        codes = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key)
        common = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes[key]}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path, whole=True):
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **(
            {"clip": dict(zip(("x", "y", "width", "height"), self.size()), scale=1)} if whole else {}))
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def size(self):
        return [0, 0, *self.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")]

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)


def main():
    source, picture, *rest = sys.argv[1:]
    width, height = (int(word) for word in (rest + ["1280", "900"][len(rest):])[:2])
    with Browser() as browser:
        browser.open(pathlib.Path(source).resolve().as_uri(), width, height, dark="dark" in rest).screenshot(picture, whole=False)


if __name__ == "__main__":
    main()
