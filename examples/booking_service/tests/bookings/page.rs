//! A page of seats, read as a browser and a screen reader do, and checked on the way.

use scraper::{ElementRef, Html, Selector};

pub(crate) struct Page {
    /// The id with which the form is sent.
    pub(crate) id: String,
    pub(crate) free: Vec<String>,
    pub(crate) taken: Vec<String>,
    pub(crate) chosen: Vec<String>,
    /// The sentence that a screen reader reads at once.
    pub(crate) alert: Option<String>,
}

fn all<'d>(document: &'d Html, selector: &str) -> Vec<ElementRef<'d>> {
    document.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect()
}

impl Page {
    pub(crate) fn read(html: &str) -> Self {
        let document = Html::parse_document(html);
        let attribute =
            |element: &ElementRef<'_>, name: &str| element.value().attr(name).unwrap_or_default().to_owned();
        check(&document);

        let form = all(&document, "form[method=post]");
        assert_eq!((form.len(), all(&document, "form button[type=submit]").len()), (1, 1));
        let (mut free, mut taken, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        for label in all(&document, "fieldset label") {
            let input = label.select(&Selector::parse("input[type=checkbox][name=seat]").unwrap()).next().unwrap();
            let (seat, is_taken) = (attribute(&input, "value"), input.value().attr("disabled").is_some());
            // Not by its colour alone.
            assert_eq!(text(label), if is_taken { format!("{seat}, taken") } else { seat.clone() });
            chosen.extend(input.value().attr("checked").map(|_| seat.clone()));
            if is_taken { &mut taken } else { &mut free }.push(seat);
        }
        let id = attribute(&all(&document, "form input[type=hidden][name=id]")[0], "value");
        let alert = all(&document, "[role=alert]").first().map(|alert| text(*alert));
        Page { id, free, taken, chosen, alert }
    }
}

/// What every page owes its readers.
pub(crate) fn check(document: &Html) {
    assert_eq!(all(document, "html[lang=en] > head > title").len(), 1);
    assert_eq!((all(document, "main").len(), all(document, "main h1").len()), (1, 1));
    assert!(all(document, "script").is_empty(), "no script is needed");
    for fieldset in all(document, "fieldset") {
        assert!(fieldset.select(&Selector::parse("legend").unwrap()).next().is_some());
    }
    for input in all(document, "input:not([type=hidden])") {
        let named = input.value().attr("id").map(|id| all(document, &format!("label[for={id}]")).len());
        let inside = input.ancestors().filter_map(ElementRef::wrap).any(|parent| parent.value().name() == "label");
        assert!(named == Some(1) || inside, "a field without a label: {}", input.html());
    }
}
