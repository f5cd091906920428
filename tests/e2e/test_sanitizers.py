"""What a sanitizer finds fails the test that caused it, in whichever process it was found."""

import os
import shutil
import subprocess
import sys

import pytest

from support.proxy import has_sanitizers

HERE = os.path.dirname(os.path.abspath(__file__))

# A child writes behind its memory, or two threads to the same place, or nobody does anything wrong; the
# parent ends well.
PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int counter;
static void* count(void* unused)
{
    ++counter;
    return unused;
}
int main(int argc, char** argv)
{
    if (fork() == 0) {
        volatile char* place = malloc(8);
        int behind = argc > 1 && strcmp(argv[1], "behind") == 0;
        place[behind ? 8 : 7] = 1;
        free((void*)place);
        if (argc > 1 && strcmp(argv[1], "leak") == 0)
            place = malloc(80);
        place = NULL;
        if (argc > 1 && strcmp(argv[1], "race") == 0) {
            pthread_t threads[2];
            for (int i = 0; i < 2; ++i)
                pthread_create(&threads[i], NULL, count, NULL);
            for (int i = 0; i < 2; ++i)
                pthread_join(threads[i], NULL);
        }
        exit(0);
    }
    wait(NULL);
    return 0;
}
"""

TEST = """
import subprocess
def test_that_fails_nothing_itself():
    subprocess.run({command!r}, check=True, timeout=60)
def test_after_it():
    pass
"""

CRASH = """
import os, signal
from support.folder import temporary_folder
from support.ports import free_port, wait_until
from support.proxy import Proxy
def test_that_fails_nothing_itself():
    with temporary_folder() as folder:
        port = free_port()
        with Proxy("postern", folder, "auth_http 127.0.0.1:1/; server { listen 127.0.0.1:%d; protocol imap; }" % port,
                   [port]) as proxy:
            victim = wait_until(proxy.workers, "a worker")[0]
            os.kill(victim, signal.SIGSEGV)
            wait_until(lambda: set(proxy.workers()) - {victim}, "another worker", timeout=60)  # after a report that takes its time
def test_after_it():
    pass
"""


def run_pytest(folder, text):
    with open(os.path.join(folder, "test_inner.py"), "w") as out:
        out.write(text)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    environment["PYTHONPATH"] = HERE
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "support.sanitizer_reports",
                           "--rootdir", folder, folder], env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The program, for a sanitizer."""
    folder = tmp_path_factory.mktemp("program")
    compiler = shutil.which("clang-19") or "clang++-19"
    source = folder / "program.c"
    source.write_text(PROGRAM)

    def build(sanitizer):
        binary = str(folder / sanitizer)
        if not os.path.exists(binary):
            subprocess.run([compiler, "-x", "c", "-g", f"-fsanitize={sanitizer}", "-o", binary, str(source)],
                           check=True, timeout=120)
        return binary
    return build


@pytest.mark.parametrize("sanitizer, fault, words", [
    ("address", "behind", "heap-buffer-overflow"),
    ("address", "leak", "detected memory leaks"),
    ("thread", "race", "data race")])
def test_a_report_of_a_child_fails_its_test(folder, compiled, sanitizer, fault, words):
    result = run_pytest(folder, TEST.format(command=[compiled(sanitizer), fault]))
    assert result.returncode == 1, result.stdout
    assert "2 passed, 1 error" in result.stdout
    assert words in result.stdout
    assert "ERROR at teardown of test_that_fails_nothing_itself" in result.stdout


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_no_report_fails_nothing(folder, compiled, sanitizer):
    result = run_pytest(folder, TEST.format(command=[compiled(sanitizer)]))
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout


def test_a_report_of_a_worker_fails_its_test(folder):
    """Without sanitizers a worker that crashes reports nothing: the test that crashed it passes."""
    result = run_pytest(folder, CRASH)
    if has_sanitizers():
        assert "2 passed, 1 error" in result.stdout, result.stdout
        assert "Sanitizer:DEADLYSIGNAL" in result.stdout or "Sanitizer: SEGV" in result.stdout
    else:
        assert "2 passed" in result.stdout and "error" not in result.stdout, result.stdout
