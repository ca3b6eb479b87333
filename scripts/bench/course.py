"""A course of many days, as plain lines and table rows: made fast, so that two million of each take a minute.

The same seed makes the same lines. Their envelope is data-package.md 12's, 1,240 bytes long in the mean; of 100 events
about 40 are of videos, 15 of problems (5 of them graded by the server), and 25 are page views.
"""

import datetime
import random
from dataclasses import dataclass, field

FIRST_DAY = datetime.date(2015, 3, 2)
STUDENTMODULE = ("id", "module_type", "module_id", "student_id", "state", "grade", "created", "modified", "max_grade",
                 "done", "course_id")
AGENTS = (
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/40.0.2214.115 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_2) AppleWebKit/600.3.18 (KHTML, like Gecko) "
    "Version/8.0.3 Safari/600.3.18",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:36.0) Gecko/20100101 Firefox/36.0",
)
VIEWS = ("/courseware/{unit}/", "/courseware", "/progress", "/info", "/discussion/forum", "/wiki/L00x/", "/about")


def hexadecimal(invent):
    return f"{invent.getrandbits(128):032x}"


@dataclass
class Learner:
    """`head` and `tail`: what of a line is the same in all of the learner's events."""

    id: int
    head: str
    tail: str


@dataclass
class Course:
    """Ids of the course and of what is in it."""

    id: str
    seed: int
    learners: list = field(default_factory=list)

    def __post_init__(self):
        self.number = self.id.split("+")[1]
        invent = random.Random(f"{self.seed} {self.id}")
        self.videos = [hexadecimal(invent) for _ in range(200)]
        self.problems = [hexadecimal(invent) for _ in range(300)]
        self.units = [f"{hexadecimal(invent)}/{hexadecimal(invent)}" for _ in range(100)]

    @property
    def folder(self):
        return self.id.removeprefix("course-v1:").replace("+", "-")

    @property
    def url(self):
        return f"https://courses.edx.org/courses/{self.id}"

    def block(self, kind, name):
        return f"block-v1:{self.id.removeprefix('course-v1:')}+type@{kind}+block@{name}"

    def enrol(self, number):
        invent = random.Random(f"{self.seed} {self.id} learners")
        for _ in range(number):
            user = invent.randint(1, 9_999_999)
            address = ".".join(str(invent.randint(1, 254)) for _ in range(4))
            head = (f'"username": "learner_{user}", "ip": "{address}", "agent": "{invent.choice(AGENTS)}", '
                    f'"host": "courses.edx.org", "session": "{hexadecimal(invent)}", '
                    f'"accept_language": "sv-SE,sv;q=0.8,en-US;q=0.6,en;q=0.4", "environment": "prod-edx-edxapp", '
                    f'"minion_id": "prod-edx-edxapp-i-{invent.getrandbits(32):08x}", "roles": ["edxapp"], ')
            tail = (f'"user_id": {user}, "org_id": "UniX", "course_id": "{self.id}", "course_user_tags": '
                    f'{{"xblock.partition_service.partition_0": "{invent.randint(0, 1)}"}}')
            self.learners.append(Learner(user, head, tail))


class Day:
    """One day's lines of a course, in order of time."""

    def __init__(self, course, date, events):
        self.course = course
        self.date = date
        self.events = events
        self.invent = random.Random(f"{course.seed} {course.id} {date}")

    def lines(self):
        kinds = self.invent.choices(KINDS, SHARES, k=self.events)
        # A few learners do most.
        learners = self.course.learners
        actors = self.invent.choices(learners, [1 / (10 + rank) for rank in range(len(learners))], k=self.events)
        step = 86_400_000_000 // self.events
        for number, (kind, learner) in enumerate(zip(kinds, actors)):
            micros = number * step + self.invent.randrange(step)
            second = micros // 1_000_000
            time = (f"{self.date}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
                    f".{micros % 1_000_000:06}+00:00")
            yield kind(self, learner, time)

    def line(self, learner, time, source, name, path, event, module=""):
        """`event` and `module` are JSON."""
        course = self.course
        page = f"{course.url}/courseware/{self.invent.choice(course.units)}/" if source == "browser" else "x_module"
        referer = f"{course.url}/courseware/{self.invent.choice(course.units)}/"
        return (f'{{{learner.head}"event_source": "{source}", "event_type": "{name}", "name": "{name}", '
                f'"time": "{time}", "page": "{page}", "referer": "{referer}", '
                f'"event": {event}, "context": {{{module}{learner.tail}, "path": "{path}"}}}}\n')

    def browser(self, learner, time, name, event):
        return self.line(learner, time, "browser", name, "/event", event)

    def video(self, learner, time):
        invent = self.invent
        name = invent.choices(VIDEO_EVENTS, VIDEO_SHARES)[0]
        at = invent.random() * 900
        place = f', \\"currentTime\\": {at:.6f}'
        if name == "seek_video":
            to = invent.random() * 900
            place = f', \\"old_time\\": {at:.6f}, \\"new_time\\": {to:.3f}, \\"type\\": \\"onSlideSeek\\"'
        elif name == "load_video":
            place = ""
        elif name == "speed_change_video":
            place = f', \\"current_time\\": {at:.6f}, \\"old_speed\\": \\"1.0\\", \\"new_speed\\": \\"1.50\\"'
        video = invent.choice(self.course.videos)
        return self.browser(learner, time, name, f'"{{\\"id\\": \\"{video}\\", \\"code\\": \\"html5\\"{place}}}"')

    def server_check(self, learner, time):
        invent = self.invent
        at = invent.randrange(len(self.course.problems))
        name = self.course.problems[at]
        problem = self.course.block("problem", name)
        grade = invent.randint(0, 3)
        inputs = [f"{name}_{part}_1" for part in (2, 3, 4)]
        answers = ", ".join(f'"{key}": "choice_{invent.randint(0, 4)}"' for key in inputs)
        correct = ", ".join(
            f'"{key}": {{"hint": "", "hintmode": null, "correctness": "correct", "msg": "", "answervariable": null, '
            f'"npoints": null, "queuestate": null}}' for key in inputs)
        given = ", ".join(
            f'"{key}": {{"input_type": "choicegroup", "question": "Which of these is the largest?", "response_type": '
            f'"multiplechoiceresponse", "answer": "The second", "variant": "", "correct": true}}' for key in inputs)
        success = "correct" if grade == 3 else "incorrect"
        event = (f'{{"submission": {{{given}}}, "success": "{success}", "grade": {grade}, '
                 f'"correct_map": {{{correct}}}, "state": {{"student_answers": {{}}, "seed": 1, "done": null, '
                 f'"correct_map": {{}}, "input_state": '
                 f'{{"{inputs[0]}": {{}}}}}}, "answers": {{{answers}}}, "attempts": {invent.randint(1, 9)}, '
                 f'"max_grade": 3, "problem_id": "{problem}"}}')
        title = ("Pre-course survey", "Post-course survey", "Problem")[min(at, 2)]
        module = f'"module": {{"display_name": "{title}", "usage_key": "{problem}"}}, '
        path = f"/courses/{self.course.id}/xblock/{problem}/handler/xmodule_handler/problem_check"
        return self.line(learner, time, "server", "problem_check", path, event, module)

    def browser_problem(self, learner, time):
        problem = self.invent.choice(self.course.problems)
        name = self.invent.choices(("problem_check", "problem_save", "problem_show"), (8, 1, 1))[0]
        answers = "&".join(f"input_{problem}_{part}_1=choice_{self.invent.randint(0, 4)}" for part in (2, 3, 4))
        return self.browser(learner, time, name, f'"{answers}"')

    def graded(self, learner, time):
        problem = self.invent.choice(self.course.problems)
        answers = "&".join(f"input_{problem}_{part}_1=choice_{self.invent.randint(0, 4)}" for part in (2, 3, 4))
        html = ('<div class=\\"problem\\"><p>Which of these is the largest?</p><label class=\\"choicegroup_correct\\">'
                'The second</label><span>correct</span></div>') * 4
        return self.browser(learner, time, "problem_graded", f'["{answers}", "{html}"]')

    def view(self, learner, time):
        view = self.invent.choices(VIEWS, (60, 15, 8, 10, 5, 1, 1))[0]
        path = f"/courses/{self.course.id}{view.format(unit=self.invent.choice(self.course.units))}"
        return self.line(learner, time, "server", path, path, '"{\\"POST\\": {}, \\"GET\\": {}}"')

    def navigation(self, learner, time):
        old = self.invent.randint(1, 9)
        name = self.invent.choice(("seq_goto", "seq_next", "seq_prev"))
        block = self.course.block("sequential", self.invent.choice(self.course.units)[:32])
        event = f'"{{\\"old\\": {old}, \\"new\\": {old + 1}, \\"id\\": \\"{block}\\"}}"'
        return self.browser(learner, time, name, event)

    def close(self, learner, time):
        return self.browser(learner, time, "page_close", '"{}"')

    def textbook(self, learner, time):
        event = f'"{{\\"type\\": \\"gotopage\\", \\"old\\": 3, \\"new\\": {self.invent.randint(1, 400)}}}"'
        return self.browser(learner, time, "book", event)

    def thread(self, learner, time):
        body = "How does the second step follow from the first one? " * self.invent.randint(1, 20)
        event = (f'{{"id": "{hexadecimal(self.invent)[:24]}", "title": "A question", "body": "{body}", '
                 f'"truncated": false, "commentable_id": "general", "category_id": "general", "thread_type": '
                 f'"question", "anonymous": false, "options": {{"followed": true}}, '
                 f'"user_forums_roles": ["Student"], "user_course_roles": []}}')
        path = f"/courses/{self.course.id}/discussion/general/threads/create"
        return self.line(learner, time, "server", "edx.forum.thread.created", path, event)


VIDEO_EVENTS = ("play_video", "pause_video", "seek_video", "load_video", "stop_video", "speed_change_video",
                "show_transcript", "hide_transcript")
VIDEO_SHARES = (32, 30, 14, 12, 6, 3, 2, 1)
KINDS = (Day.video, Day.server_check, Day.browser_problem, Day.graded, Day.view, Day.navigation, Day.close,
         Day.textbook, Day.thread)
SHARES = (40, 5, 6, 4, 25, 12, 6, 1, 1)


def dates(days):
    return [FIRST_DAY + datetime.timedelta(days=number) for number in range(days)]


def studentmodule(course, rows):
    """The table's lines, its header first; about 250 bytes each."""
    invent = random.Random(f"{course.seed} {course.id} studentmodule")
    modules = [("problem", course.block("problem", name)) for name in course.problems]
    modules += [("video", course.block("video", name)) for name in course.videos]
    yield "\t".join(STUDENTMODULE) + "\n"
    for number in range(rows):
        kind, module = modules[int(invent.random() * len(modules))]
        learner = course.learners[int(invent.random() * len(course.learners))]
        second = int(invent.random() * 86_400)
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        created = f"2015-{3 + second % 3:02}-{1 + second % 28:02} {clock}"
        if kind == "video":
            state, grade, most = f'{{"saved_video_position": "00:{second % 60:02}:07", "speed": 1.5}}', "NULL", "NULL"
        else:
            inputs = f'{{"{module[-8:]}_2_1": {{}}}}'
            state = f'{{"seed": 1, "attempts": {second % 7}, "done": true, "input_state": {inputs}}}'
            grade, most = str(second % 4), "3"
        yield (f"{number + 1}\t{kind}\t{module}\t{learner.id}\t{state}\t{grade}\t{created}\t{created}\t{most}\tna\t"
               f"{course.id}\n")
