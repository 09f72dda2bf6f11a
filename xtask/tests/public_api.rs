//! The public API of the crate is as `public-api.txt` lists it, so that a change to it is seen in review.
//!
//! Run it by `.ci/public-api`, which writes the JSON that is read here.

use std::path::Path;

use expect_test::expect_file;
use public_api::Builder;

#[test]
fn the_public_api_is_the_listed_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this package");
    let api = Builder::from_rustdoc_json(root.join("target/doc/diesel_lockset.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .expect("rustdoc has written its JSON");
    // Which types implement a trait follows from the traits and types themselves.
    let items = api.items().map(|item| item.to_string()).filter(|item| item.starts_with("pub "));
    let list: String = items.map(|item| item.replace("diesel_lockset::", "") + "\n").collect();
    expect_file![root.join("public-api.txt")].assert_eq(&list);
}
