//! What a video event says of the video and of the place in it.

use std::borrow::Cow;

use crate::edx::event::LONGEST_ID;
use crate::edx::event::names::Name;
use crate::edx::event::payload::PayloadText;
use crate::edx::event::value::{Value, text};
use crate::edx::tracking_log::Fields;

/// A video, and where in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoPayload<'a> {
    /// An id; not yet measured.
    pub id: Value<'a>,
    pub place: Place,
}

/// Seconds from the video's beginning, as the player says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Unknown,
    At(f64),
    Moved { from: f64, to: f64 },
}

/// Why a video event is about no video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoVideo {
    Unreadable,
    NoId,
    LongId,
}

impl NoVideo {
    /// As `errors.txt` has it.
    pub fn reason(self) -> &'static str {
        match self {
            NoVideo::Unreadable => "payload does not parse",
            NoVideo::NoId => "no video id",
            NoVideo::LongId => "video id too long",
        }
    }
}

/// The column that a video event counts in: its name where it has one, else its type.
pub fn column(fields: &Fields<'_>, event_type: Name) -> Name {
    let known = |name: Option<Name>| name.filter(|name| name.is_video_column()).unwrap_or(Name::OTHER);
    match fields.name() {
        None | Some(b"") => known(Some(event_type)),
        Some(raw) if memchr::memchr(b'\\', raw).is_none() => known(Name::find(raw)),
        Some(raw) => known(Name::find(text(raw).as_bytes())),
    }
}

impl<'a> VideoPayload<'a> {
    /// None where the payload does not parse.
    pub fn read(fields: &Fields<'a>, room: &'a mut PayloadText) -> Option<Self> {
        let [id, at, old, new] = room.members(fields, ["id", "currentTime", "old_time", "new_time"])?;
        let place = match (at.finite(), old, new) {
            (Some(at), ..) => Place::At(at),
            (None, old, new) => match (old.finite(), new.finite()) {
                (Some(from), Some(to)) => Place::Moved { from, to },
                _ => Place::Unknown,
            },
        };
        Some(VideoPayload { id, place })
    }

    pub fn id(&self) -> Result<Cow<'a, str>, NoVideo> {
        let id = self.id.id().ok_or(NoVideo::NoId)?;
        if id.len() > LONGEST_ID { Err(NoVideo::LongId) } else { Ok(id) }
    }
}

/// Which compartment of so many seconds a place is in; None beyond the range of integers.
pub fn compartment(place: f64, seconds: u32) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let compartment = (place / f64::from(seconds)).floor();
    (-BEYOND..BEYOND).contains(&compartment).then_some(compartment as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edx::tracking_log::walk;

    #[test]
    fn places_are_floored_and_must_fit() {
        for (place, found) in [
            (0.0, Some(0)),
            (4.999, Some(0)),
            (5.0, Some(1)),
            (-0.001, Some(-1)),
            (1e300, None),
            (-46_116_860_184_273_879_040.0, Some(i64::MIN)),
            (46_116_860_184_273_879_040.0, None),
        ] {
            assert_eq!(compartment(place, 5), found, "{place}");
        }
    }

    #[test]
    fn a_place_is_the_current_time_or_else_where_the_player_moved() {
        for (payload, place) in [
            (r#"{"currentTime": "7.5", "old_time": 1, "new_time": 2}"#, Place::At(7.5)),
            (r#"{"currentTime": null, "old_time": 1, "new_time": "2"}"#, Place::Moved { from: 1.0, to: 2.0 }),
            (r#"{"currentTime": NaN, "old_time": 1}"#, Place::Unknown),
            (r#"{"current_time": 3}"#, Place::Unknown),
        ] {
            let line = format!("{{\"event\": {payload}}}");
            let fields = walk(line.as_bytes()).expect("an event");
            let mut room = PayloadText::default();
            let found = VideoPayload::read(&fields, &mut room).expect("an object");
            assert_eq!((found.place, found.id()), (place, Err(NoVideo::NoId)), "{payload}");
        }
    }

    #[test]
    fn an_unknown_name_is_another() {
        let play = Name::find(b"play_video").expect("known");
        for (name, column_name) in [
            ("", "play_video"),
            (r#", "name": """#, "play_video"),
            (r#", "name": null"#, "play_video"),
            (r#", "name": "edx.video.played""#, "edx.video.played"),
            (r#", "name": "edx.vide\u006f.played""#, "edx.video.played"),
            (r#", "name": "edx.video.bumper.played""#, "other"),
            (r#", "name": "x""#, "other"),
        ] {
            let line = format!("{{\"event_type\": \"play_video\"{name}}}");
            let fields = walk(line.as_bytes()).expect("an event");
            assert_eq!(column(&fields, play).as_str(), column_name, "{name}");
        }
    }
}
