//! The page of the check-again link: what is known now and what to do next. It has no script and
//! asks nothing of the browser but a form with one button.

use crate::model::Timestamp;

use super::book::Texts;
use super::fill::Filling;
use super::letter::About;
use super::letter::Site;
use super::letter::document;

/// What the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Mail arrives.
    Allowed,
    /// Mail arrives until then.
    Waiting(Timestamp),
    /// In quarantine.
    Held,
    /// Blocked.
    Blocked,
}

/// What goes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sources are being asked; the page looks again by itself.
    pub asked: bool,
    /// They were asked a moment ago and are not asked again yet.
    pub too_soon: bool,
}

/// Writes the page; without a state it says that the link is not valid, and nothing else.
#[must_use]
pub fn page(
    texts: &Texts,
    site: &Site,
    about: &About<'_>,
    state: Option<State>,
    shown: Page,
) -> String {
    let until = match state {
        Some(State::Waiting(until)) => Some(until),
        Some(State::Allowed | State::Held | State::Blocked) | None => None,
    };
    let about = About { until, ..*about };
    let filling = Filling {
        texts,
        site,
        about: &about,
    };
    let text = |key| filling.html(texts.get("page", key));
    let line = |key| {
        let line = filling.line(texts.get("page", key));
        super::fill::escaped(&line)
    };
    let title = filling.line(texts.get("page", "title"));
    let mut body = format!("<main>\n<h1>{}</h1>\n", line("title"));
    let mut head = String::new();
    match state {
        None => body.push_str(&text("invalid")),
        Some(state) => {
            let key = match state {
                State::Allowed => "allowed",
                State::Waiting(_) => "waiting",
                State::Held => "held",
                State::Blocked => "blocked",
            };
            body.push_str("<div role=\"status\">\n");
            body.push_str(&text(key));
            if state != State::Allowed {
                for key in [texts.reason(about.reason), texts.advice(about.reason)] {
                    body.push_str(&filling.html(key));
                }
            }
            if shown.asked {
                body.push_str(&text("asked"));
                head = format!("<meta http-equiv=\"refresh\" content=\"{LOOK_AGAIN}\">");
            }
            if shown.too_soon {
                body.push_str(&text("too_soon"));
            }
            body.push_str("</div>\n");
            if state != State::Allowed {
                body.push_str(&filling.html(&super::template::links()));
                body.push_str(&format!(
                    "<form method=\"post\"><button type=\"submit\">{}</button></form>\n",
                    line("button")
                ));
            }
            body.push_str(&filling.html(&super::template::help_desk()));
        }
    }
    body.push_str("</main>\n");
    document(&texts.language, &title, &head, &body)
}

/// Seconds after which the page of a look-up under way looks again: sources answer within a few.
const LOOK_AGAIN: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Book;
    use crate::model::Platform;
    use crate::model::Reason;

    fn shown(state: Option<State>, shown: Page) -> String {
        let about = About {
            name: Some("<i>"),
            model: None,
            device_type: "iPhone",
            device_id: "ApplX1",
            platform: Platform::Ios,
            user: "alice@example.com",
            reason: Reason::DeviceNotCompliant,
            request: None,
            until: None,
            check_again: None,
        };
        let book = Book::default();
        page(book.choose([]), &Site::default(), &about, state, shown)
    }

    #[test]
    fn the_page_has_a_button_where_something_can_change() {
        for (state, button) in [
            (Some(State::Allowed), false),
            (Some(State::Held), true),
            (Some(State::Blocked), true),
            (Some(State::Waiting(Timestamp::from_unix_millis(0))), true),
            (None, false),
        ] {
            let page = shown(state, Page::default());
            assert_eq!(page.contains("<button"), button, "row {state:?}: {page}");
            assert!(
                page.starts_with("<!DOCTYPE html>\n<html lang=\"en\""),
                "{page}"
            );
            assert!(!page.contains("<i>") && !page.contains("<script"), "{page}");
            assert!(!page.contains("refresh"), "{page}");
        }
    }

    #[test]
    fn the_page_of_a_link_that_is_not_valid_tells_nothing() {
        let page = shown(None, Page::default());
        assert!(
            !page.contains("ApplX1") && !page.contains("alice"),
            "{page}"
        );
        assert!(!page.contains("compliance"), "{page}");
    }

    #[test]
    fn the_page_looks_again_while_the_sources_are_asked() {
        let asked = Page {
            asked: true,
            ..Page::default()
        };
        assert!(shown(Some(State::Held), asked).contains("http-equiv=\"refresh\""));
    }
}
