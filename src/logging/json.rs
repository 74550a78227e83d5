//! A log line as one flat JSON object: the fields of the spans around it stand beside its own, so
//! that every line of an incident is found by one field.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Debug)]
pub(super) struct Flat;

impl<S> FormatEvent<S, JsonFields> for Flat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        // From the outermost span in, the event last: the nearest has the word.
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(formatted) = span.extensions().get::<FormattedFields<JsonFields>>() {
                merge(&mut fields, &formatted.fields);
            }
        }
        let mut own = String::new();
        JsonFields::new().format_fields(Writer::new(&mut own), event)?;
        merge(&mut fields, &own);

        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let message = fields.remove("message").unwrap_or_default();
        let metadata = event.metadata();
        // What a person looks for comes first.
        write!(writer, "{{\"timestamp\":{},\"level\":\"{}\"", Value::from(time), metadata.level())?;
        write!(writer, ",\"message\":{message}")?;
        for (name, value) in &fields {
            write!(writer, ",{}:{value}", Value::from(name.as_str()))?;
        }
        writeln!(writer, ",\"target\":{}}}", Value::from(metadata.target()))
    }
}

fn merge(fields: &mut Map<String, Value>, text: &str) {
    if let Ok(Value::Object(more)) = serde_json::from_str(text) {
        fields.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::fixtures::Page;

    #[test]
    fn a_line_inside_an_incidents_span_carries_its_fields_flat_and_its_own_win() {
        let page = Page::default();
        let out = page.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || out.clone());
        let lines = lines.fmt_fields(JsonFields::new()).event_format(Flat);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _rollout = tracing::info_span!("rollout", rollout = "spark", attempt = 1).entered();
            let _incident = tracing::info_span!("incident", incident = "inc_1").entered();
            tracing::warn!(attempt = 2, "not \"written\"\nyet");
        });
        let text = page.text();
        let line: Value = serde_json::from_str(&text).expect("one JSON object");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(
            (&line["rollout"], &line["incident"], &line["attempt"]),
            (&"spark".into(), &"inc_1".into(), &2.into())
        );
        assert_eq!((&line["message"], &line["level"]), (&"not \"written\"\nyet".into(), &"WARN".into()));
    }
}
