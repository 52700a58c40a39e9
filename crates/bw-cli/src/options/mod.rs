//! Arguments that several commands share.

pub(crate) mod filter;
pub(crate) mod number;
pub(crate) mod request;
pub(crate) mod symbols;
pub(crate) mod target;
pub(crate) mod time_limits;
pub(crate) mod url;

use bw_symbolize::Problem;
use clap::Args;

use crate::output::failure::Failure;
use crate::output::format::Color;
use request::RequestOptions;
use symbols::SymbolOptions;

/// What all that ask and print can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct SharedOptions {
    #[command(flatten)]
    pub(crate) request: RequestOptions,

    #[command(flatten)]
    pub(crate) symbols: SymbolOptions,

    /// Exit with 1 if names or lines are missing
    #[arg(long)]
    pub(crate) strict: bool,

    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

impl SharedOptions {
    /// See [`SymbolOptions::report`].
    pub(crate) fn report(&self, problems: &[Problem]) -> Result<(), Failure> {
        self.symbols.report(problems, self.strict)
    }
}
