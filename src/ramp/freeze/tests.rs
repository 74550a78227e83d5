//! When it is frozen, most of all where clocks are set.

use chrono::TimeDelta;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn zone(name: &str) -> Zone {
    Zone::named(name).expect("a zone")
}

fn recurring(name: &str, cron: &str, hours: i64, place: &str) -> FreezeWindow {
    let recurrence = Recurrence::new(cron, zone(place), TimeDelta::hours(hours)).expect("a recurrence");
    FreezeWindow { name: name.to_owned(), times: FreezeTimes::Recurring(Box::new(recurrence)) }
}

fn once(name: &str, from: &str, until: &str, place: &str) -> FreezeWindow {
    let [from, until] = [from, until].map(|text| zone(place).instant(text).expect("a time"));
    FreezeWindow { name: name.to_owned(), times: FreezeTimes::Once { from, until } }
}

/// Name, beginning and end, without the seconds.
fn frozen(windows: &FreezeWindows, now: &str) -> Option<String> {
    let minutes = |at: DateTime<Utc>| at.format("%d %H:%M").to_string();
    let found = windows.frozen_at(at(now))?;
    Some(format!("{} {} to {}", found.name, minutes(found.since), minutes(found.until)))
}

#[test]
fn a_window_begins_with_its_first_instant_and_ends_before_its_last() {
    let windows = FreezeWindows(vec![
        recurring("weekend", "0 16 * * FRI", 64, "Europe/Istanbul"),
        once("year end", "2026-12-20", "2027-01-03", "UTC"),
    ]);
    for (now, expected) in [
        ("2026-11-27T12:59:59.999Z", None),
        ("2026-11-27T13:00:00Z", Some("weekend 27 13:00 to 30 05:00")),
        ("2026-11-27T13:00:00.5Z", Some("weekend 27 13:00 to 30 05:00")),
        ("2026-11-30T04:59:59.999Z", Some("weekend 27 13:00 to 30 05:00")),
        ("2026-11-30T05:00:00Z", None),
        ("2026-12-20T00:00:00Z", Some("year end 20 00:00 to 04 05:00")),
        ("2026-12-31T23:59:59Z", Some("year end 20 00:00 to 04 05:00")),
        ("2027-01-02T00:00:00Z", Some("weekend 01 13:00 to 04 05:00")),
        ("2027-01-04T05:00:00Z", None),
    ] {
        assert_eq!(frozen(&windows, now).as_deref(), expected, "{now}");
    }
    assert_eq!(FreezeWindows::default().frozen_at(at("2026-12-24T18:00:00Z")), None);
}

/// In Berlin the clocks go from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25;
/// in Cairo from 00:00 to 01:00 on 2026-04-24.
#[test]
fn set_clocks_neither_lose_nor_repeat_a_window() {
    let daily = |cron| FreezeWindows(vec![recurring("w", cron, 1, "Europe/Berlin")]);
    let weekend = FreezeWindows(vec![recurring("w", "0 16 * * FRI", 64, "Europe/Berlin")]);
    let days = FreezeWindows(vec![once("w", "2026-03-28", "2026-03-30", "Europe/Berlin")]);
    let cairo = FreezeWindows(vec![once("w", "2026-04-24", "2026-04-25", "Africa/Cairo")]);
    for (case, windows, now, expected) in [
        ("the day before", daily("30 2 * * *"), "2026-03-28T01:30:00Z", Some("w 28 01:30 to 28 02:30")),
        ("left out: before", daily("30 2 * * *"), "2026-03-29T00:59:59Z", None),
        ("left out: after it", daily("30 2 * * *"), "2026-03-29T01:00:00Z", Some("w 29 01:00 to 29 02:00")),
        ("left out: over", daily("30 2 * * *"), "2026-03-29T02:00:00Z", None),
        ("just before", daily("30 1 * * *"), "2026-03-29T01:00:00Z", Some("w 29 00:30 to 29 01:30")),
        ("just after", daily("0 3 * * *"), "2026-03-29T01:00:00Z", Some("w 29 01:00 to 29 02:00")),
        ("twice: the first", daily("30 2 * * *"), "2026-10-25T00:30:00Z", Some("w 25 00:30 to 25 01:30")),
        ("twice: not the second", daily("30 2 * * *"), "2026-10-25T01:30:00Z", None),
        ("after both", daily("0 3 * * *"), "2026-10-25T02:00:00Z", Some("w 25 02:00 to 25 03:00")),
        ("by a stopwatch", weekend.clone(), "2026-03-30T06:59:59Z", Some("w 27 15:00 to 30 07:00")),
        ("and back", weekend, "2026-10-24T00:00:00Z", Some("w 23 14:00 to 26 06:00")),
        ("dates: begin", days.clone(), "2026-03-27T23:00:00Z", Some("w 27 23:00 to 29 22:00")),
        ("dates: end", days, "2026-03-29T22:00:00Z", None),
        ("no midnight: before", cairo.clone(), "2026-04-23T21:59:59Z", None),
        ("no midnight", cairo, "2026-04-23T22:00:00Z", Some("w 23 22:00 to 24 21:00")),
    ] {
        assert_eq!(frozen(&windows, now).as_deref(), expected, "{case}");
    }
}

/// What looks back has to find what a walk forward finds, also where half hours are left out (Lord Howe)
/// or whole days begin late (Cairo).
#[test]
fn looking_back_finds_the_same_beginnings_as_walking_forward() {
    for (place, from) in [
        ("Europe/Berlin", "2026-03-28T20:00:00Z"),
        ("Europe/Berlin", "2026-10-24T20:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T10:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T10:00:00Z"),
        ("Africa/Cairo", "2026-04-23T18:00:00Z"),
        ("Europe/Istanbul", "2026-11-27T00:00:00Z"),
    ] {
        for cron in
            ["30 2 * * *", "0 0 * * *", "0 2,3 * * *", "15 1 * * SAT,SUN", "45 * * * *", "0 */2 * * *"]
        {
            let recurrence = Recurrence::new(cron, zone(place), TimeDelta::minutes(5)).expect("a recurrence");
            let begun = recurrence.beginnings(at(from) - TimeDelta::days(8), 300);
            for minute in (0..12 * 60).step_by(5) {
                let now = at(from) + TimeDelta::minutes(minute);
                let latest = begun.iter().rfind(|begun| **begun <= now).copied();
                let found = recurrence.latest(now).map(|(since, _)| since);
                assert_eq!(found, latest, "{cron} in {place} at {now}");
            }
        }
    }
}

#[test]
fn windows_that_follow_on_end_together_and_the_longest_gives_the_name() {
    let windows = FreezeWindows(vec![
        recurring("saturday", "0 0 * * SAT", 24, "UTC"),
        recurring("sunday", "0 0 * * SUN", 24, "UTC"),
        recurring("night", "0 20 * * *", 10, "UTC"),
        once("audit", "2026-11-30T05:00:00Z", "2026-11-30T09:00:00+01:00", "UTC"),
    ]);
    for (now, expected) in [
        ("2026-11-27T12:00:00Z", None),
        ("2026-11-27T21:00:00Z", Some("night 27 20:00 to 30 08:00")),
        ("2026-11-28T01:00:00Z", Some("saturday 28 00:00 to 30 08:00")),
        ("2026-11-29T21:00:00Z", Some("night 29 20:00 to 30 08:00")),
        ("2026-11-30T05:30:00Z", Some("audit 30 05:00 to 30 08:00")),
        ("2026-11-30T08:00:00Z", None),
    ] {
        assert_eq!(frozen(&windows, now).as_deref(), expected, "{now}");
    }
}

#[test]
fn people_read_the_windows_name_and_times_and_no_escape_sequence_of_it() {
    let windows = FreezeWindows(vec![once("year\u{1b}[2J end", "2026-12-20", "2027-01-03", "UTC")]);
    assert_eq!(
        windows.frozen_at(at("2026-12-24T18:00:00Z")).map(|frozen| frozen.words()).as_deref(),
        Some("\"year\\u{1b}[2J end\", from 2026-12-20T00:00:00Z until 2027-01-03T00:00:00Z")
    );
}

#[test]
fn expressions_that_no_window_follows_from_are_named() {
    for (cron, hours, message, remedy) in [
        ("0 0 16 * * FRI", 64, "five fields, not 6", "minute, hour"),
        ("0 16 * *", 64, "five fields, not 4", "minute, hour"),
        ("@weekly", 64, "five fields, not 1", "minute, hour"),
        ("0 25 * * FRI", 64, "expression: Number out of bounds", "minute, hour"),
        ("0 16 * * FRY", 64, "expression: contains illegal character 'F'", "minute, hour"),
        ("0 0 31 2 *", 64, "never comes", "a day that there is"),
        ("* * * * *", 1, "for ever", "shorten duration"),
        ("0 0 * * *", 24, "for ever", "shorten duration"),
    ] {
        let error = Recurrence::new(cron, Zone::default(), TimeDelta::hours(hours)).expect_err(cron);
        assert!(error.to_string().contains(message) && error.remedy().contains(remedy), "{cron}: {error}");
    }
    for (cron, hours) in [("0 0 29 2 *", 24), ("0 0 * * *", 23), ("* * * 12 *", 1), ("0 0 L * *", 24)] {
        assert!(Recurrence::new(cron, Zone::default(), TimeDelta::hours(hours)).is_ok(), "{cron}");
    }
}

#[test]
fn an_unknown_zone_comes_with_the_nearest_and_a_time_without_an_offset_is_none() {
    for (name, nearest) in
        [("Europe/Instanbul", Some("Europe/Istanbul")), ("Berlin", None), ("", None), ("../etc/passwd", None)]
    {
        let error = Zone::named(name).expect_err(name);
        assert_eq!(error.nearest.as_deref(), nearest, "{name}");
    }
    assert_eq!(Zone::named("UTC").expect("UTC").instant("2026-12-20"), Ok(at("2026-12-20T00:00:00Z")));
    let istanbul = zone("Europe/Istanbul");
    for (text, expected) in [
        ("2026-12-20", Some("2026-12-19T21:00:00Z")),
        ("2026-12-20T16:00:00+01:00", Some("2026-12-20T15:00:00Z")),
        ("2026-12-20T16:00:00", None),
        ("2026-02-30", None),
        ("20.12.2026", None),
        ("2026-12-20 ", None),
    ] {
        assert_eq!(istanbul.instant(text).ok(), expected.map(at), "{text}");
    }
}
