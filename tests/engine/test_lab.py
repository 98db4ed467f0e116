"""The lab that started it all, as a person types it."""

import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.engine


def test_the_lab_leaves_the_changed_file_in_the_new_image_and_the_base_as_it_was(sandbox: Sandbox) -> None:
    lab, image = sandbox.name("ch03"), sandbox.name("ch03-change")
    base_before = sandbox.inspect(sandbox.base_image)

    sandbox.snap(
        "run", "--name", lab, "-e", "WHO=Elton", "--network", "none", sandbox.base_image,
        "--", "sh", "-c", "echo $WHO >> ch03.txt",
    )  # fmt: skip
    difference = sandbox.snap("diff", lab)
    sandbox.snap("commit", lab, image, "-m", "sign the lab")
    verification = sandbox.snap("verify", image, "--contains", "ch03.txt=Lab solution, by: Elton")

    assert [line.split()[0] + line.split()[-1] for line in difference.stdout.splitlines()] == [
        "C/diamol",
        "C/diamol/ch03.txt",
    ]
    assert "FAIL" not in verification.stdout
    assert sandbox.output_of(image, "cat", "ch03.txt") == "Lab solution, by: Elton\n"
    assert sandbox.output_of(sandbox.base_image, "cat", "ch03.txt") == "Lab solution, by: "
    assert sandbox.inspect(sandbox.base_image) == base_before
