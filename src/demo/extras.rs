//! What else lies in the two buckets: an RDX package, the tar era, another organisation's key, a stray file.

use std::fs;

use jiff::civil::{Date, date};

use crate::demo::day_log::write_day;
use crate::demo::plan::{Plan, Site};
use crate::demo::random::Random;
use crate::demo::tar::Tar;
use crate::demo::workshop::{Workshop, gzipped, new_file};
use crate::error::Result;

/// All of them.
pub fn make_extras(workshop: &Workshop<'_>) -> Result<()> {
    let org = &workshop.org.lower;
    rdx_package(workshop)?;
    tracking_tar(workshop)?;
    let day = workshop.plan.first_day;
    let foreign = Random::new(workshop.plan.seed, "another organisation").bytes(3000);
    workshop.as_is(&format!("course-data/{org}pro-2015-01-04.zip"), &foreign, day)?;
    workshop.as_is(&format!("edx-course-data/{org}/notes.txt"), b"ask the help desk about 2013\n", day)
}

/// A course of another organisation, pseudonymised: a nameless root entry, gzip inside gzip, removed cells empty.
fn rdx_package(workshop: &Workshop<'_>) -> Result<()> {
    let mut tar = Tar::default();
    tar.folder("/");
    tar.file("metadata_file.json", b"{\"format_version\": \"1.0\", \"pipeline_version\": \"0a1b2c3\"}\n");
    for day in ["2015-02-03", "2015-02-04"] {
        let line = |user: u64| {
            format!(
                concat!(
                    r#"{{"username": "username_{}", "event_type": "page_close", "event_source": "browser", "event": "", "#,
                    r#""time": "{}T10:00:00.000001+00:00", "augmented": {{"country_code": "SE"}}, "#,
                    r#""context": {{"user_id": {}, "org_id": "OtherX", "course_id": "OtherX/DemoX/R1"}}}}"#,
                    "\n"
                ),
                user, day, user
            )
        };
        let log: String = (0..20).map(|i| line(4_000_000_000 + i)).collect();
        tar.file(&format!("events/OtherX_DemoX_R1-events-{day}.log.gz"), &gzipped(log.as_bytes())?);
    }
    let profile = "id\tuser_id\tname\tgender\tgoals\n1\t4000000000\t\tf\tmail <<EMAIL>>\n";
    let user = "id\tusername\temail\n4000000000\tusername_4000000000\t\n";
    tar.file("state/2015-02-08/OtherX-DemoX-R1-auth_userprofile-prod-analytics.sql", profile.as_bytes());
    tar.file("state/2015-02-08/OtherX-DemoX-R1-auth_user-prod-analytics.sql", user.as_bytes());
    let key = format!("edx-course-data/{}/rdx/REQ-7/OtherX_DemoX_R1.tar.gz.gpg", workshop.org.lower);
    let target = new_file(&workshop.data, &key)?;
    workshop.encrypted(&target, key.trim_end_matches(".gpg"), &gzipped(&tar.into_bytes())?, workshop.plan.first_day)
}

/// The cumulative tar of 2014: a folder for each web server, logs encrypted but not gzip'd.
fn tracking_tar(workshop: &Workshop<'_>) -> Result<()> {
    let made = date(2014, 5, 4);
    let (org, plan) = (&workshop.org.lower, &workshop.plan);
    let archive = format!("{made}-{org}-tracking");
    let mut tar = Tar::default();
    for (server, site) in [("prod-edx-001", Site::Prod), ("prod-edx-002", Site::Prod), ("prod-edge-001", Site::Edge)] {
        tar.folder(server);
        for day in [date(2014, 5, 1), date(2014, 5, 2)] {
            let path = format!("{server}/{day}-{org}.log");
            let log = small_log(plan, workshop, server, site, day)?;
            let target = new_file(&workshop.scratch, &format!("{archive}/{path}.gpg"))?;
            workshop.encrypted(&target, &format!("course-data/{archive}/{path}"), &log, made)?;
            tar.file(&format!("{path}.gpg"), &fs::read(&target)?);
        }
    }
    workshop.as_is(&format!("course-data/{archive}.tar"), &tar.into_bytes(), made)
}

fn small_log(plan: &Plan, workshop: &Workshop<'_>, server: &str, site: Site, day: Date) -> Result<Vec<u8>> {
    let number = server.bytes().map(u64::from).sum::<u64>();
    let small = Plan { seed: plan.seed ^ number, events_per_day: 40, ..plan.clone() };
    let mut log = Vec::new();
    write_day(&small, workshop.org, site, day, &mut log)?;
    Ok(log)
}
