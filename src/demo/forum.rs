//! The forum file: `data-package.md` 9. One JSON object per line, comments before and after their threads.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::demo::course::Course;
use crate::demo::learner::Learner;
use crate::demo::plan::{Site, modified};
use crate::demo::random::Random;
use jiff::civil::Date;

/// The posts written until `date`; each thread has an answer and a reply to it. Empty for a course without posts.
pub fn forum(course: &Course, learners: &[Learner], site: Site, date: Date, seed: u64) -> Vec<u8> {
    let enrolments = course.enrolments(site);
    let threads = if course.rank == 4 { 0 } else { (enrolments.len() / 4).clamp(3, 400) };
    let mut lines = Vec::new();
    for thread in 0..threads {
        let mut random = Random::new(seed, &format!("thread {} {site:?} {thread}", course.id));
        let start = 1_424_000_000_000 + thread as i64 * 40_000_000;
        let mut post = |number: usize| Post {
            course,
            author: &learners[enrolments[random.index(enrolments.len())].learner],
            voter: &learners[enrolments[0].learner],
            number: thread * 3 + number,
            // Up to two hours after the one before it.
            at: Timestamp::from_millisecond(start + number as i64 * 7_200_000 + random.below(7_000_000) as i64)
                .unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let posts = [post(0), post(1), post(2)];
        if posts[2].at > modified(date) {
            continue;
        }
        let [first, answer, reply] = &posts;
        let mut written = [first.thread(), answer.answer(), reply.reply()];
        if thread % 3 == 1 {
            written.reverse();
        }
        lines.extend(written.iter().map(|line| format!("{line}\n")));
    }
    lines.concat().into_bytes()
}

struct Post<'a> {
    course: &'a Course,
    author: &'a Learner,
    voter: &'a Learner,
    number: usize,
    at: Timestamp,
}

impl Post<'_> {
    fn id(&self, number: usize) -> Value {
        json!({ "$oid": self.course.post_id(number) })
    }

    /// The three forms in turn.
    fn date(&self) -> Value {
        match self.number % 4 {
            0 => json!({ "$date": self.at.as_millisecond() }),
            1 => json!({ "$date": self.at.to_string() }),
            2 => json!({ "$date": { "$numberLong": self.at.as_millisecond().to_string() } }),
            _ => json!({ "$date": self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }),
        }
    }

    fn common(&self, kind: &str, body: &str) -> Value {
        let votes = json!({
            "count": 1, "down": [], "down_count": 0, "point": 1, "up": [self.voter.id.to_string()], "up_count": 1
        });
        let mut post = json!({
            "_id": self.id(self.number), "_type": kind, "abuse_flaggers": [],
            "anonymous": self.number.is_multiple_of(7), "anonymous_to_peers": false, "at_position_list": [], "author_id": self.author.id.to_string(),
            "author_username": self.author.username, "body": body, "course_id": self.course.id,
            "created_at": self.date(), "historical_abuse_flaggers": [], "updated_at": self.date(), "visible": true,
            "votes": votes
        });
        match self.number {
            // A retired learner, and an author that is no number.
            4 => {
                post["author_username"] = json!("retired__user_0a1b2c");
                post["retired_username"] = json!("retired__user_0a1b2c");
            }
            5 => post["author_id"] = json!("unknown"),
            _ => {}
        }
        post
    }

    fn thread(&self) -> Value {
        let mut post = self.common("CommentThread", "Hello\n\nwörld \u{2028} what is \"this\"?\tC:\\new");
        let more = json!({
            "closed": false, "comment_count": 2, "commentable_id": self.course.topic(), "last_activity_at": self.date(),
            "tags_array": [], "thread_type": "question", "title": format!("Question {}", self.number / 3),
            "pinned": false, "context": "course", "group_id": null
        });
        merge(&mut post, more);
        post
    }

    fn answer(&self) -> Value {
        let mut post = self.common("Comment", "Me too");
        let thread = self.number - 1;
        let endorsement = match (thread / 3) % 3 {
            0 => json!({ "user_id": self.voter.id.to_string(), "time": self.date() }),
            1 => Value::Null,
            _ => json!("null"),
        };
        merge(
            &mut post,
            json!({
                "comment_thread_id": self.id(thread), "endorsed": endorsement.is_object(), "endorsement": endorsement,
                "parent_ids": [], "sk": self.course.post_id(self.number), "depth": 0, "child_count": 1
            }),
        );
        if self.number.is_multiple_of(2) {
            post["parent_id"] = Value::Null;
        }
        post
    }

    fn reply(&self) -> Value {
        let mut post = self.common("Comment", "Thanks :)");
        let (thread, answer) = (self.number - 2, self.number - 1);
        let sort_key = format!("{}-{}", self.course.post_id(answer), self.course.post_id(self.number));
        merge(
            &mut post,
            json!({
                "comment_thread_id": self.id(thread), "endorsed": false, "parent_id": self.id(answer),
                "parent_ids": [self.id(answer)], "sk": sort_key, "depth": 1, "child_count": 0
            }),
        );
        post
    }
}

fn merge(post: &mut Value, more: Value) {
    if let (Some(post), Value::Object(more)) = (post.as_object_mut(), more) {
        post.extend(more);
    }
}
