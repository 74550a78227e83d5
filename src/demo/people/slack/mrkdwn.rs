//! Slack's text as a terminal shows it (docs.slack.dev, "Formatting message text").

use super::workspace::Workspace;

/// Links, mentions and dates become what people read; letters that were escaped come back. Marks for
/// bold and code stay: without a font they are the emphasis.
pub(super) fn plain(text: &str, workspace: &Workspace) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((inside, behind)) = after.split_once('>') else { break };
        out.push_str(before);
        out.push_str(&entity(inside, workspace));
        rest = behind;
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn entity(inside: &str, workspace: &Workspace) -> String {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label)),
        None => (inside, None),
    };
    if let Some(user) = target.strip_prefix('@') {
        return format!("@{}", label.unwrap_or_else(|| workspace.user_name(user)));
    }
    if let Some(special) = target.strip_prefix('!') {
        return match special.split('^').next() {
            // With the reader's own time in Slack; here the text for those who can't show that.
            Some("date") => label.unwrap_or_default().to_owned(),
            Some("subteam") => {
                label.map_or_else(|| format!("@{}", special.trim_start_matches("subteam^")), str::to_owned)
            }
            _ => format!("@{special}"),
        };
    }
    if let Some(channel) = target.strip_prefix('#') {
        let name = workspace.channel(channel).map(|channel| channel.name.as_str());
        return format!("#{}", label.or(name).unwrap_or(channel));
    }
    label.map_or_else(|| target.to_owned(), |label| format!("{label} ({target})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_mentions_and_dates_are_shown_as_people_read_them() {
        let workspace = Workspace::default();
        for (text, shown) in [
            ("at <!date^1790000000^{time_secs}|14:18:20 UTC>.", "at 14:18:20 UTC."),
            ("<@U0ANA> and <!subteam^S0ONCALL> and <!here>", "@ana and @S0ONCALL and @here"),
            (
                "<https://x.example/a|the page>, <https://x.example>",
                "the page (https://x.example/a), https://x.example",
            ),
            ("in <#C0CHANNEL1>", "in #spark-incidents"),
            ("&lt;!channel&gt; &amp;lt; 1 < 2", "<!channel> &lt; 1 < 2"),
            ("*bold* `code`", "*bold* `code`"),
        ] {
            assert_eq!(plain(text, &workspace), shown);
        }
    }
}
