//! Snapshot tests of the expansions. That they compile is tested with the library.

mod advisory_locked;
mod mistakes;
mod names;
mod shapes;

use proc_macro2::TokenStream;

/// Returns the formatted expansion of a struct.
fn expand(input: &str) -> String {
    let tokens: TokenStream = input.parse().expect("the input is made of tokens");
    let file = syn::parse2(crate::expand::derive(tokens)).expect("the expansion is made of items");
    prettyplease::unparse(&file)
}

/// Compares the expansion with the stored one, which shows the input above.
macro_rules! assert_expansion {
    ($name:literal, $input:literal) => {
        insta::with_settings!({ description => $input, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $crate::tests::expand($input));
        });
    };
}
use assert_expansion;

/// Returns the text of the `compile_error!` whose arguments `rest` starts with.
fn sentence(rest: &str) -> Option<String> {
    let start = rest.find('"')?;
    // The first quote that is not escaped ends the literal.
    let mut ends = rest[start + 1..].match_indices('"').map(|(at, _)| start + at + 2);
    ends.find_map(|end| syn::parse_str::<syn::LitStr>(&rest[start..end]).ok()).map(|text| text.value())
}
