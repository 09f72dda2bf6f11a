//! The parser of the options of `#[advisory_locked(..)]`. It checks no rules.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    LitStr, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use super::timeout::Timeout;
use crate::{
    attr::{Item, after_eq, note, path_or_text},
    errors::Errors,
};

const KEYS: &str = "the options are `scope`, `timeout`, `shared`, `try`, `session`, `conn` and `crate`";
const SCOPE: &str = "`scope` wants a text: `scope = \"send\"`";
const TIMEOUT: &str = "`timeout` wants a text: `timeout = \"45s\"`";
const CONN: &str = "`conn` wants the name of a parameter: `conn = \"name\"`";
const CRATE: &str = "`crate` wants the path of diesel_lockset: `crate = my_path`";

/// The options of the attribute. An option that is repeated is here each time.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) scope: Vec<Item<LitStr>>,
    pub(crate) timeout: Vec<Item<Timeout>>,
    pub(crate) conn: Vec<Item<Ident>>,
    pub(crate) crate_path: Vec<Item<Path>>,
    pub(crate) shared: Vec<Ident>,
    pub(crate) try_: Vec<Ident>,
    pub(crate) session: Vec<Ident>,
}

impl Options {
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        let walked = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = read.option(input) {
                    errors.push(error);
                    // Goes on to the next option, to report its mistakes too.
                    while !input.is_empty() && !input.peek(Token![,]) {
                        input.parse::<TokenTree>()?;
                    }
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        })
        .parse2(tokens);
        if let Err(error) = walked {
            errors.push(error);
        }
        read
    }

    fn option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key = input.call(Ident::parse_any).map_err(|error| syn::Error::new(error.span(), KEYS))?;
        match key.to_string().as_str() {
            "scope" => {
                let value = after_eq(input, |input| input.parse(), SCOPE, &key);
                note(&mut self.scope, key, value)?;
            }
            "timeout" => {
                let text = after_eq(input, |input| input.parse::<LitStr>(), TIMEOUT, &key);
                note(&mut self.timeout, key, text.and_then(|text| Timeout::written(&text)))?;
            }
            "conn" => {
                let value = after_eq(input, name_or_text, CONN, &key);
                note(&mut self.conn, key, value)?;
            }
            "crate" => {
                let value = after_eq(input, path_or_text, CRATE, &key);
                note(&mut self.crate_path, key, value)?;
            }
            "shared" => self.shared.push(key),
            "try" => self.try_.push(key),
            "session" => self.session.push(key),
            _ => return Err(syn::Error::new(key.span(), format!("no option of this name: {KEYS}"))),
        }
        if input.is_empty() || input.peek(Token![,]) { Ok(()) } else { Err(input.error("expected `,`")) }
    }
}

fn name_or_text(input: ParseStream<'_>) -> syn::Result<Ident> {
    if input.peek(LitStr) { input.parse::<LitStr>()?.parse() } else { input.parse() }
}
