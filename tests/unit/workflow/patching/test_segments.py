from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snapshot.recipe.instructions import EditConfig, Instruction, MakeFolder, Run
from snapshot.workflow.patching.segments import Segment, segments

FILE, RUN, CONFIG = MakeFolder("/a"), Run("true"), EditConfig()


def test_all_edits_between_two_runs_share_a_layer() -> None:
    assert segments([FILE, CONFIG, FILE, RUN, FILE]) == [
        Segment(0, 3, False, (3,)),
        Segment(3, 4, True, (4,)),
        Segment(4, 5, False, (5,)),
    ]


def test_the_config_before_and_after_edits_of_files_has_results_of_its_own() -> None:
    # FROM, ENV x3, WORKDIR, COPY, CMD
    plain: list[Instruction] = [CONFIG, CONFIG, CONFIG, CONFIG, FILE, CONFIG]
    assert segments(plain) == [Segment(0, 6, False, (4, 5, 6))]
    assert segments([CONFIG, FILE]) == [Segment(0, 2, False, (1, 2))]


def test_no_result_stands_between_edits_of_one_layer() -> None:
    assert segments([FILE, CONFIG, FILE, CONFIG]) == [Segment(0, 4, False, (3, 4))]


def test_runs_have_a_layer_each() -> None:
    assert segments([RUN, RUN]) == [Segment(0, 1, True, (1,)), Segment(1, 2, True, (2,))]
    assert segments([]) == []


@given(st.lists(st.sampled_from([FILE, RUN, CONFIG])))
def test_segments_cover_all_instructions_once_and_results_stand_at_their_ends(
    instructions: list[Instruction],
) -> None:
    found = segments(instructions)
    assert [number for part in found for number in range(part.first, part.end)] == list(
        range(len(instructions))
    )
    for part in found:
        assert part.ends[-1] == part.end
        assert all(part.first < end <= part.end for end in part.ends)
        assert part.is_run == (instructions[part.first] == RUN)
        for end in part.ends[:-1]:
            before, after = instructions[part.first : end], instructions[end : part.end]
            assert FILE not in before or FILE not in after
