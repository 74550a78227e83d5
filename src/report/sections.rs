//! Each placeholder's part of the Markdown. Nothing foreign stands at the beginning of a line, nor
//! anywhere unescaped.

use chrono::{DateTime, Utc};

use super::impact::Until;
use super::markdown::{code, text};
use super::times::{Times, clock, spoken, time, time_utc};
use super::{AlertReport, Entry, MessageReport, Report};
use crate::incident::{Cause, CheckOutcome, StepRecord, Trigger};

/// The most entries of a section, first and last: it is one document, and short. JSON has them all.
const MOST_LINES: (usize, usize) = (60, 40);
const MOST_ALERTS: (usize, usize) = (8, 0);
const MOST_STEPS: (usize, usize) = (3, 3);

/// What stands for the placeholder; nothing for one that is unknown, which no template has.
pub(super) fn section(report: &Report, placeholder: &str) -> String {
    match placeholder {
        "title" => text(&report.title),
        "summary" => summary(report),
        "incident" => code(&report.incident),
        "rollout" => code(&report.rollout),
        "revision" => code(&report.revision),
        "state" => state(report),
        "times" => times(&report.times),
        "impact" => impact(report),
        "timeline" => timeline(report),
        "alerts" => or_none(list(&report.alerts, MOST_ALERTS, alert), "None belongs to it."),
        "actions" => actions(report),
        "verification" => verification(report),
        "people" => people(report),
        "messages" => messages(report),
        "evidence" => evidence(report),
        "open_questions" => or_none(
            list(&report.open_questions, MOST_LINES, |question| format!("- {}", text(question))),
            "None that the record shows.",
        ),
        "follow_ups" => or_none(
            list(&report.follow_ups, MOST_LINES, |follow_up| format!("- [ ] {}", text(follow_up))),
            "None that follow from the record.",
        ),
        _ => String::new(),
    }
}

fn or_none(section: String, none: &str) -> String {
    if section.is_empty() { none.to_owned() } else { section }
}

/// One block for each item, without those in the middle of very many.
fn list<T>(items: &[T], (first, last): (usize, usize), render: impl Fn(&T) -> String) -> String {
    if items.len() <= first + last {
        return items.iter().map(render).collect::<Vec<_>>().join("\n");
    }
    let left_out = items.len() - first - last;
    let mut lines: Vec<_> = items[..first].iter().map(&render).collect();
    lines.push(format!("- … and {left_out} more: `backstop incident report --format json` has them all"));
    lines.extend(items[items.len() - last..].iter().map(&render));
    lines.join("\n")
}

fn summary(report: &Report) -> String {
    let summary = &report.summary;
    [
        format!("**What happened?** {}  ", text(&summary.what_happened)),
        format!("**What was done?** {}  ", text(&summary.what_was_done)),
        format!("**Safe now?** {} {}", summary.safe.words(), text(&summary.why_safe)),
    ]
    .join("\n")
}

fn state(report: &Report) -> String {
    let state = report.state.replace('_', " ");
    if report.is_closed { state } else { format!("{state}. It has not closed: this is how it stood") }
}

fn times(times: &Times) -> String {
    let Times { alert_started_at, received_at, rollback_started_at, traffic_off_at, verdict_at, .. } = times;
    let began = received_at.filter(|_| rollback_started_at.is_some());
    let parts = [
        ("to detect", times.detect_seconds, alert_started_at, received_at, "alert began → received"),
        ("to decide", times.decide_seconds, &began, rollback_started_at, "received → rollback began"),
        (
            "to act",
            times.act_seconds,
            rollback_started_at,
            traffic_off_at,
            "began → traffic off acknowledged",
        ),
        ("to verify", times.verify_seconds, traffic_off_at, verdict_at, "acknowledged → verdict"),
    ];
    let mut lines =
        vec!["| | | from (UTC) | to (UTC) | |".to_owned(), "| --- | --- | --- | --- | --- |".to_owned()];
    // Of what did not begin there is nothing to say.
    for (what, seconds, from, to, meaning) in parts.into_iter().filter(|(_, _, from, ..)| from.is_some()) {
        let spoken = seconds.map_or_else(|| "not known".to_owned(), spoken);
        let at = |at: &Option<DateTime<Utc>>| at.map_or_else(|| "–".to_owned(), clock);
        lines.push(format!("| {what} | {spoken} | {} | {} | {meaning} |", at(from), at(to)));
    }
    if times.rollback_started_at.is_none() {
        lines.extend([String::new(), "No rollback began.".to_owned()]);
    }
    lines.join("\n")
}

fn impact(report: &Report) -> String {
    let read = report.impact.share_read_at.map(|at| format!(" The share was read at {}.", time_utc(at)));
    let kept = match report.impact.until_what {
        Until::ReadBack | Until::AlertsEnded => "",
        Until::Unknown if report.is_closed => "",
        Until::Unknown => " It had not ended when this was made.",
    };
    format!("{}{}{kept}", text(&report.impact.sentence()), read.unwrap_or_default())
}

fn timeline(report: &Report) -> String {
    let first = report.timeline.first().map(|entry| entry.at.date_naive());
    let line = |entry: &Entry| {
        let day = entry.at.date_naive();
        let day = if Some(day) == first { String::new() } else { format!("{day} ") };
        format!("- **{day}{}** {}", clock(entry.at), text(&entry.text))
    };
    let lines = list(&report.timeline, MOST_LINES, line);
    first.map_or_else(String::new, |day| format!("From {day} on, in UTC:\n\n{lines}"))
}

fn alert(alert: &AlertReport) -> String {
    let ended = alert.ends_at.map_or_else(|| "not ended".to_owned(), |at| format!("ended {}", time(at)));
    let mut lines = vec![format!(
        "- **{}** ({}): began {}, received {}, {ended}",
        text(&alert.name),
        alert.severity,
        time(alert.starts_at),
        time(alert.received_at)
    )];
    let words = alert.description.as_ref().or(alert.summary.as_ref());
    lines.extend(words.map(|words| format!("  - Value: {}", text(words))));
    lines.extend(alert.threshold.as_ref().map(|limit| format!("  - Limit: {}", text(limit))));
    lines.extend(alert.runbook_url.as_ref().map(|url| format!("  - Runbook: {}", code(url))));
    lines.join("\n")
}

fn actions(report: &Report) -> String {
    let mut parts = vec![list(&report.causes, MOST_STEPS, cause)];
    parts.push(list(&report.steps, MOST_STEPS, step));
    if report.steps.is_empty() {
        parts.push("- No step was carried out.".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn cause(cause: &Cause) -> String {
    let words = text(&cause.words);
    let who = match &cause.trigger {
        Trigger::Automatic => format!("Backstop decided, for {words}"),
        Trigger::Manual { actor } => format!("{} decided, saying: {words}", text(actor)),
    };
    let (at, meaning, share) = (time(cause.at), cause.reason.meaning(), cause.share_words());
    format!("- {at} {who}. {meaning} The canary's share was {share}")
}

fn step(step: &StepRecord) -> String {
    format!("- {} Step: {}", time(step.started_at), text(&step.sentence()))
}

fn verification(report: &Report) -> String {
    let Some(verification) = &report.verification else { return "There was none.".to_owned() };
    let verdict = verification.verdict;
    let mut lines = vec![format!(
        "**{}**: {}; {} to {}.",
        verdict.as_str().replace('_', " "),
        verdict.sentence(),
        time(verification.started_at),
        time(verification.ended_at)
    )];
    lines.push(String::new());
    for check in &verification.checks {
        let detail = match check.outcome {
            CheckOutcome::NotConfigured => String::new(),
            _ => format!(": {}", text(&check.detail)),
        };
        lines.push(format!("- {}: {}{detail}", check.name.words(), check.outcome.words()));
    }
    lines.join("\n")
}

fn people(report: &Report) -> String {
    let deeds = list(&report.people, MOST_LINES, |deed| {
        let did = match deed.did {
            "rolled_back" => "asked for the rollback",
            "held" => "held the grace",
            "resumed" => "ended the hold",
            "acknowledged" => "took note",
            _ => "closed it",
        };
        let words = deed.words.as_ref().map_or_else(String::new, |words| format!(": {}", text(words)));
        format!("- {} {} {did}{words}", time(deed.at), text(&deed.actor))
    });
    or_none(deeds, "Nobody but Backstop did anything.")
}

fn messages(report: &Report) -> String {
    let mut channels: Vec<&str> = Vec::new();
    for told in report.messages.iter().flat_map(|message| &message.channels) {
        if !channels.contains(&told.channel.as_str()) {
            channels.push(&told.channel);
        }
    }
    let mut lines: Vec<_> =
        channels.into_iter().map(|channel| of_channel(&report.messages, channel)).collect();
    if lines.is_empty() {
        lines.push("- Nobody: no channel was configured for it.".to_owned());
    }
    lines.push(match &report.taken_note {
        None => "- Nobody took note.".to_owned(),
        Some(note) => {
            let after = note.after_first_message_seconds;
            let after = after.map(|after| format!(", {} after the first message", spoken(after)));
            let before = note.before.as_ref().map(|what| format!(", before {}", text(what)));
            let rest = after.into_iter().chain(before).collect::<String>();
            format!("- {} took note at {}{rest}", text(&note.actor), time(note.at))
        }
    });
    lines.join("\n")
}

/// One channel in a line: how many reached it, from when on, and what did not.
fn of_channel(messages: &[MessageReport], channel: &str) -> String {
    let told = messages.iter().flat_map(|message| &message.channels).filter(|told| told.channel == channel);
    let told: Vec<_> = told.collect();
    let count = |state: &str| told.iter().filter(|told| told.state == state).count();
    let first = told.iter().filter(|told| told.state == "sent").map(|told| told.at).min();
    let mut parts = vec![match first {
        Some(first) => format!("{} sent, the first at {}", count("sent"), time(first)),
        None => "nothing sent".to_owned(),
    }];
    for (state, words) in [
        ("waiting", "waiting"),
        ("given_up", "GIVEN UP"),
        ("superseded", "left out, because a later one said how it stood"),
    ] {
        if count(state) > 0 {
            parts.push(format!("{} {words}", count(state)));
        }
    }
    let error = told.iter().rev().find_map(|told| told.error.as_ref());
    let error = error.map_or_else(String::new, |error| format!("; last error: {}", text(error)));
    format!("- {}: {}{error}", text(channel), parts.join(", "))
}

fn evidence(report: &Report) -> String {
    let evidence = &report.evidence;
    if evidence.files.is_empty() {
        return "None was written.".to_owned();
    }
    let mut lines: Vec<_> = evidence
        .files
        .iter()
        .map(|file| {
            let directory = file.directory.as_ref().map(|directory| format!(" in {}", code(directory)));
            format!("- {}{}, SHA-256 {}", code(&file.name), directory.unwrap_or_default(), code(&file.sha256))
        })
        .collect();
    let state = if evidence.is_complete { "complete" } else { "not complete yet" };
    lines.push(String::new());
    lines.push(format!("It is {state}. `backstop evidence verify` says whether anything was changed."));
    lines.join("\n")
}
