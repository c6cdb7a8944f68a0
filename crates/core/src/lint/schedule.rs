//! Schedules: cron text and time zone.

use super::Look;
use crate::duration::GoDuration;
use crate::source::Node;
use crate::workflow::table::CRONJOB;

pub(super) fn check(look: &mut Look) {
    for (path, object, node) in look.objects() {
        if object != &CRONJOB {
            continue;
        }
        if let Some(cron) = node.get("cron")
            && let Err(why) = cron_text(cron.as_str().unwrap_or(""))
        {
            look.error("schedule", why, cron.span, &format!("{path}.cron"));
        }
        if let Some(zone) = node.get("timezone").filter(|zone| zone.as_str() != Some("")) {
            time_zone(look, zone, &path);
        }
    }
}

fn time_zone(look: &mut Look, zone: &Node, path: &str) {
    let name = zone.as_str().unwrap_or("");
    let formed = name.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    });
    let known = look.options.is_zone.is_none_or(|is_zone| is_zone(name));
    if !formed || !known {
        look.error("schedule", format!("there is no time zone `{name}`"), zone.span, &format!("{path}.timezone"))
            .help = Some("write an IANA name like `Europe/Paris`".to_owned());
    }
}

const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6)];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Whether a text is five fields of cron, or one of the words for them.
fn cron_text(text: &str) -> Result<(), String> {
    let text = text.trim();
    if let Some(word) = text.strip_prefix('@') {
        if let Some(every) = word.strip_prefix("every ") {
            return match every.trim().parse::<GoDuration>() {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("`{every}` is no length of time")),
            };
        }
        let known = ["hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually"];
        return if known.contains(&word) { Ok(()) } else { Err(format!("there is no schedule `{text}`")) };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("a schedule has 5 fields (minute, hour, day, month, weekday), found {}", fields.len()));
    }
    for (field, (name, low, high)) in fields.iter().zip(FIELDS) {
        for part in field.split(',') {
            if !fits(part, name, low, high) {
                return Err(format!("`{part}` is no {name} ({low} to {high})"));
            }
        }
    }
    Ok(())
}

fn fits(part: &str, name: &str, low: u32, high: u32) -> bool {
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| step.parse::<u32>().map_or(true, |step| step == 0)) {
        return false;
    }
    if range == "*" || range == "?" {
        return true;
    }
    let words: &[&str] = match name {
        "month" => &MONTHS,
        "day of the week" => &DAYS,
        _ => &[],
    };
    let number = |text: &str| -> Option<u32> {
        let word = words.iter().position(|word| text.eq_ignore_ascii_case(word)).map(|at| at as u32 + low);
        word.or_else(|| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten())
    };
    let (first, last) = range.split_once('-').map_or((range, range), |(first, last)| (first, last));
    match (number(first), number(last)) {
        (Some(first), Some(last)) => low <= first && first <= last && last <= high,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_and_a_few_words_are_schedules() {
        for good in ["* * * * *", "*/5 1-3,7 ? jan-mar MON", "0 0 1 1 0", "5/15 * * * *", "@daily", "@every 1h30m"] {
            assert_eq!(cron_text(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* * 0 * *",
            "* * * * 7",
            "*/0 * * * *",
            "@never",
            "@every day",
            "5-1 * * * *",
        ] {
            assert!(cron_text(bad).is_err(), "{bad}");
        }
    }
}
