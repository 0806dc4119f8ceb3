//! Whether the server is used: `--server` and `BUILDX_SERVER`.

use std::str::FromStr;

use crate::build::suggest::did_you_mean;
use crate::paths::Env;

/// Environment variable that counts when no flag does.
pub const VARIABLE: &str = "BUILDX_SERVER";

/// Whether the server is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerChoice {
    /// As [`ServerChoice::On`]; but where `CI` is set, only if one runs already.
    #[default]
    Auto,
    /// It is used, and started when there is none.
    On,
    /// Everything happens in this process.
    Off,
}

/// What a choice means for one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Connect; start one when there is none.
    Launch,
    /// Connect when one runs, else do without.
    IfRunning,
    /// Do without.
    Never,
}

/// A word that is none of the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidChoice(String);

impl FromStr for ServerChoice {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, InvalidChoice> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => {
                let near = did_you_mean(text, ["auto", "on", "off"]);
                Err(InvalidChoice(format!(
                    "invalid server choice {text:?}{near}: expected auto, on or off"
                )))
            }
        }
    }
}

impl ServerChoice {
    /// The flag's choice, else the variable's, else [`ServerChoice::Auto`].
    ///
    /// # Errors
    /// The variable has another value.
    pub fn new(flag: Option<Self>, env: &Env) -> Result<Self, InvalidChoice> {
        match (flag, env.get(VARIABLE)) {
            (Some(choice), _) => Ok(choice),
            (None, Some(text)) => text
                .parse()
                .map_err(|InvalidChoice(what)| InvalidChoice(format!("{VARIABLE}: {what}"))),
            (None, None) => Ok(Self::Auto),
        }
    }

    /// What it means for a caller with this environment. `CI` counts as unset when it says so.
    pub fn means(self, env: &Env) -> Use {
        let ci = env
            .get("CI")
            .is_some_and(|value| !matches!(value, "0" | "false" | "no" | "off"));
        match self {
            Self::On => Use::Launch,
            Self::Off => Use::Never,
            Self::Auto if ci => Use::IfRunning,
            Self::Auto => Use::Launch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_stronger_than_the_variable() {
        let env = |value: &str| -> Env { [(VARIABLE, value)].into_iter().collect() };
        let off = Some(ServerChoice::Off);
        assert_eq!(ServerChoice::new(off, &env("on")), Ok(ServerChoice::Off));
        assert_eq!(ServerChoice::new(None, &env("on")), Ok(ServerChoice::On));
        assert_eq!(ServerChoice::new(None, &env("")), Ok(ServerChoice::Auto));
        let said = ServerChoice::new(None, &env("offf"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            said,
            "BUILDX_SERVER: invalid server choice \"offf\" (did you mean off?): expected auto, on or off"
        );
    }

    #[test]
    fn auto_starts_no_server_in_ci() {
        let ci = |value: &str| -> Env { [("CI", value)].into_iter().collect() };
        assert_eq!(ServerChoice::Auto.means(&ci("true")), Use::IfRunning);
        for value in ["", "0", "false"] {
            assert_eq!(ServerChoice::Auto.means(&ci(value)), Use::Launch, "{value}");
        }
        assert_eq!(ServerChoice::On.means(&ci("true")), Use::Launch);
        assert_eq!(ServerChoice::Off.means(&ci("")), Use::Never);
    }
}
