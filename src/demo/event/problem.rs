//! Problem events: `data-package.md` 14.2. A click is seen twice, by the browser and by the server.

use std::fmt::Write;

use crate::demo::line::{Draft, Form, Scene};
use crate::demo::random::Random;
use crate::demo::text::Json;

/// A problem of the course: its index among the blocks, the address of its page, and its input ids' beginning.
fn some_problem(scene: &Scene<'_>, random: &mut Random) -> (usize, String, String) {
    let course = scene.course;
    let at = scene.place * 2 + random.index(2);
    let block = &course.blocks[course.problems[at]];
    (course.problems[at], scene.page(), block.html_id.clone())
}

fn handler(scene: &Scene<'_>, problem: usize, action: &str) -> String {
    let usage = &scene.course.blocks[problem].usage;
    // Old ids stand in such paths with their slashes written `;_`.
    let usage = if usage.starts_with("i4x:") { usage.replace('/', ";_") } else { usage.clone() };
    format!("/courses/{}/xblock/{usage}/handler/xmodule_handler/{action}", scene.course.id)
}

fn answers(input: &str, random: &mut Random) -> String {
    format!("input_{input}_2_1=choice_{}&input_{input}_3_1={}", random.below(4), random.below(50))
}

pub fn browser_check(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (_, page, input) = some_problem(scene, random);
    let event_type = random.weighted(&[(14, "problem_check"), (1, "problem_save"), (1, "problem_reset")]);
    draft.browser(event_type, page);
    draft.body = answers(&input, random);
}

pub fn browser_graded(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (problem, page, input) = some_problem(scene, random);
    draft.browser("problem_graded", page);
    draft.name.push_str("problem_graded");
    draft.form = Form::Value;
    let (title, given) = (Json(&scene.course.blocks[problem].title), answers(&input, random));
    let body = &mut draft.body;
    put!(body, r#"["{given}", "<h2 class=\"problem-header\">\n  {title}\n</h2>\n"#);
    body.push_str(
        r#"<section class=\"problem-progress\"></section>\n<section class=\"problem\">\n  <div><p>What is it?</p>\n"#,
    );
    put!(body, r#"<section id=\"inputtype_{input}_2_1\" class=\"choicegroup capa_inputtype\">\n<fieldset>\n"#);
    for choice in 0..4 {
        put!(
            body,
            r#"<label for=\"input_{input}_2_1_choice_{choice}\"><input type=\"radio\" value=\"choice_{choice}\"/>"#
        );
        put!(body, r#" Choice {choice} </label>\n"#);
    }
    body.push_str(r#"</fieldset>\n</section></div>\n<section class=\"action\"><button class=\"check\">Check</button>"#);
    body.push_str(r#"</section>\n</section>"]"#);
}

pub fn browser_show(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (problem, page, _) = some_problem(scene, random);
    draft.browser("problem_show", page);
    put!(draft.body, r#"{{"problem":"{}"}}"#, Json(&scene.course.blocks[problem].usage));
}

pub fn server_check(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (problem, page, input) = some_problem(scene, random);
    draft.server("problem_check", handler(scene, problem, "problem_check"));
    draft.name.push_str("problem_check");
    draft.page.push_str("x_module");
    draft.referer = page;
    draft.module = Some(problem);
    let grade = random.below(3);
    let success = if grade == 2 { "correct" } else { "incorrect" };
    let (choice, number) = (random.below(4), random.below(50));
    let body = &mut draft.body;
    put!(body, r#"{{"success": "{success}", "grade": {grade}, "max_grade": 2, "#);
    put!(body, r#""attempts": {}, "#, 1 + random.low_index(6));
    put!(body, r#""problem_id": "{}", "#, Json(&scene.course.blocks[problem].usage));
    put!(body, r#""answers": {{"{input}_2_1": "choice_{choice}", "{input}_3_1": "{number}"}}, "#);
    body.push_str(r#""correct_map": {"#);
    for (part, right) in [(2, grade > 0), (3, grade > 1)] {
        let correctness = if right { "correct" } else { "incorrect" };
        put!(body, r#""{input}_{part}_1": {{"hint": "", "hintmode": null, "correctness": "{correctness}", "#);
        put!(body, r#""npoints": null, "msg": "", "queuestate": null}}{}"#, if part == 2 { ", " } else { "}, " });
    }
    put!(body, r#""submission": {{"{input}_2_1": {{"question": "What is it?", "answer": "Choice {choice}", "#);
    put!(body, r#""response_type": "multiplechoiceresponse", "input_type": "choicegroup", "variant": "", "#);
    put!(body, r#""correct": {}}}, "{input}_3_1": {{"question": "How much?", "answer": "{number}", "#, grade > 0);
    body.push_str(r#""response_type": "numericalresponse", "input_type": "formulaequationinput", "variant": "", "#);
    put!(body, r#""correct": {}}}}}, "state": {{"seed": 1, "done": true, "student_answers": {{"#, grade > 1);
    put!(body, r#""{input}_2_1": "choice_{choice}", "{input}_3_1": "{number}"}}, "correct_map": {{"#);
    for part in [2, 3] {
        put!(body, r#""{input}_{part}_1": {{"hint": "", "hintmode": null, "correctness": "incorrect", "#);
        put!(body, r#""npoints": null, "msg": "", "queuestate": null}}{}"#, if part == 2 { ", " } else { "}, " });
    }
    put!(body, r#""input_state": {{"{input}_2_1": {{}}, "{input}_3_1": {{}}}}}}}}"#);
}

pub fn server_other(scene: &Scene<'_>, random: &mut Random, draft: &mut Draft) {
    let (problem, page, input) = some_problem(scene, random);
    let (event_type, action) = random.weighted(&[
        (8, ("showanswer", "problem_show")),
        (3, ("save_problem_success", "problem_save")),
        (2, ("reset_problem", "problem_reset")),
        (1, ("problem_check_fail", "problem_check")),
        (3, ("edx.problem.hint.demandhint_displayed", "hint_button")),
    ]);
    draft.server(event_type, handler(scene, problem, action));
    draft.page.push_str("x_module");
    draft.referer = page;
    draft.module = Some(problem);
    let id = Json(&scene.course.blocks[problem].usage);
    let body = &mut draft.body;
    match event_type {
        "showanswer" => put!(body, r#"{{"problem_id": "{id}"}}"#),
        "reset_problem" => {
            put!(body, r#"{{"problem_id": "{id}", "old_state": {{"seed": 1}}, "new_state": {{"seed": 1}}}}"#)
        }
        "edx.problem.hint.demandhint_displayed" => put!(
            body,
            r#"{{"module_id": "{id}", "hint_index": 0, "hint_len": 2, "hint_text": "Think of \"water\" \u2013 twice"}}"#
        ),
        _ => {
            put!(body, r#"{{"problem_id": "{id}", "answers": {{"{input}_2_1": "choice_1"}}, "state": {{"seed": 1}}"#);
            if event_type == "problem_check_fail" {
                body.push_str(r#", "failure": "closed""#);
            }
            body.push('}');
        }
    }
}
