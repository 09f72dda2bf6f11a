//! Tests of the expansion of `#[advisory_locked]`, and of its messages about mistakes.

use proc_macro2::TokenStream;

use super::sentence;
use crate::advisory_locked::attribute;

/// Returns the formatted expansion of a method, in an `impl`.
fn expand(options: &str, method: &str) -> String {
    let tokens = |text: &str| text.parse::<TokenStream>().expect("the input is made of tokens");
    let method = attribute(tokens(options), tokens(method));
    let file = syn::parse2(quote::quote! { impl Account { #method } }).expect("the expansion is made of items");
    prettyplease::unparse(&file)
}

macro_rules! assert_expansion {
    ($name:literal, $options:literal, $method:literal) => {
        let description = concat!("#[advisory_locked(", $options, ")]\n", $method);
        insta::with_settings!({
            description => description, omit_expression => true, prepend_module_to_snapshot => false
        }, {
            insta::assert_snapshot!(concat!("advisory_locked_", $name), expand($options, $method));
        });
    };
}

#[test]
fn a_method() {
    assert_expansion!(
        "method",
        "",
        "/// Pays.
#[must_use]
pub(crate) fn pay(&self, conn: &mut PgConnection, amount: i64) -> Result<i64, BankError> {
    // The body is not looked into.
    conn.execute(amount)?; return Ok(amount)
}"
    );
}

#[test]
fn all_options() {
    assert_expansion!(
        "all_options",
        "scope = \"send\", timeout = \"2min\", shared, session, conn = \"db\", crate = locks",
        "fn send(&mut self, other: &mut Vec<u8>, #[allow(unused)] mut db: &'static mut C) -> QueryResult<()> { Ok(()) }"
    );
}

#[test]
fn a_try() {
    assert_expansion!(
        "try",
        "try, timeout = \"300ms\"",
        "fn r#try(self: &Self, _: &mut C) -> Result<Option<()>, LockError> { Ok(Some(())) }"
    );
}

#[test]
fn generics() {
    assert_expansion!(
        "generics",
        "timeout = \"none\"",
        "default fn pay<'a, C, T: Into<i64> + 'a>(&'a self, _conn: &mut C, T { a, b }: T) -> Result<impl Iterator<Item = &'a T>, E>
where
    C: LockConnection,
{
    #![allow(unused)]
    Ok([a, b].into_iter())
}"
    );
}

#[test]
fn mistakes() {
    assert_expansion!("mistakes", "timeout = \"soon\", shard", "fn pay(&self) -> Result<(), LockError> { Ok(()) }");
}

#[test]
fn nothing_names_the_library_but_the_given_path() {
    for path in ["locks", "crate::vendor::locks", "\"crate::vendor::locks\"", "::locks"] {
        let options = format!("crate = {path}, shared");
        let expansion = expand(&options, "fn pay(&self, conn: &mut C) -> Result<(), LockError> { Ok(()) }");
        assert!(!expansion.contains("diesel_lockset"), "{expansion}");
    }
}

/// Compares the messages with a snapshot, one for each mistake.
#[test]
fn sentences() {
    const GOOD: &str = "fn pay(&self, conn: &mut C) -> Result<(), E> {}";
    let options = [
        "scope",
        "scope = send",
        "scope = \"\"",
        "scope = \"a\" \"b\"",
        "scope = \"a\", scope = \"b\"",
        "timeout",
        "timeout = 45",
        "timeout = \"\"",
        "timeout = \"45\"",
        "timeout = \"s\"",
        "timeout = \"-1s\"",
        "timeout = \"1.5s\"",
        "timeout = \"45 seconds\"",
        "timeout = \"99999999999999999999s\"",
        "timeout = \"1s\", timeout = \"2s\"",
        "shared = true",
        "shared, shared",
        "try, session",
        "try, timeout = \"none\"",
        "conn",
        "conn = 1",
        "conn = \"a b\"",
        "conn = \"db\"",
        "crate",
        "crate = 1",
        "crate = a, crate = b",
        "key",
        "\"key\"",
    ];
    let methods = [
        "struct Account;",
        "fn pay(conn: &mut C) -> Result<(), E> {}",
        "fn pay(self, conn: &mut C) -> Result<(), E> {}",
        "fn pay(self: Arc<Self>, conn: &mut C) -> Result<(), E> {}",
        "fn pay(&self) -> Result<(), E> {}",
        "fn pay(&self, conn: &C) -> Result<(), E> {}",
        "fn pay(&self, a: &mut C, b: &mut C) -> Result<(), E> {}",
        "const fn pay(&self, conn: &mut C) -> Result<(), E> {}",
        "unsafe fn pay(&self, conn: &mut C) -> Result<(), E> {}",
        "extern \"C\" fn pay(&self, conn: &mut C) -> Result<(), E> {}",
        "fn pay(&self, conn: &mut C) {}",
        "fn pay(&self, conn: &mut C) -> () {}",
        "fn pay(&self, conn: &mut C) -> ! {}",
        "fn pay(&self, conn: &mut C) -> bool {}",
        "fn pay(&self, conn: &mut C) -> Option<i64> {}",
        "fn pay(&self, conn: &mut C) -> impl Future {}",
        "fn pay(&self, conn: &mut C) -> Result<(), E>;",
    ];
    let cases = options.map(|options| (options, GOOD)).into_iter().chain(methods.map(|method| ("", method)));
    let mut told = String::new();
    for (options, method) in cases {
        let expansion = attribute(options.parse().expect("tokens"), method.parse().expect("tokens")).to_string();
        let sentences: Vec<_> = expansion.split("compile_error").skip(1).filter_map(sentence).collect();
        assert_eq!(sentences.len(), 1, "one mistake, one sentence: {options} {method}\n{expansion}");
        told.push_str(&format!("({options}) {method}\n    {}\n", sentences[0]));
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("advisory_locked_sentences", told);
    });
}

#[test]
fn repeated_parameters_find_the_connection() {
    for parameters in [
        "log: &mut L, conn: &mut C",
        "connection: &mut C, log: &mut L",
        "other: &L, db: &mut C",
        "log: &mut L, _conn: &mut C",
    ] {
        let expansion = expand("", &format!("fn pay(&self, {parameters}) -> Result<(), E> {{ Ok(()) }}"));
        let conn = parameters.split(", ").find(|parameter| parameter.ends_with("mut C")).expect("one");
        let conn = conn.split(':').next().expect("a name");
        assert!(expansion.contains(&format!("|{conn}| -> Result")), "{expansion}");
    }
}
