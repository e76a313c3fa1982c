//! `exec`: a command in the container, and the command that undoes it.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, refuse};
use crate::container::{Container, Op};

pub(super) fn compile(
    command: &[String],
    user: Option<&str>,
    undo: Option<&[String]>,
    on: &Container,
) -> Result<Injection, FaultError> {
    must_run(on)?;
    if command.is_empty() || undo.is_some_and(<[String]>::is_empty) {
        return refuse("a command needs at least a program");
    }
    let run = |command: &[String]| Op::Exec { command: command.to_vec(), user: user.map(String::from) };
    let no_undo = || format!("{}: nothing undoes `{}`", on.name, command.join(" "));
    Ok(Injection {
        apply: vec![run(command)],
        undo: undo.map(run).into_iter().collect(),
        claims: vec![Claim::Inside(command.join(" "))],
        proof: Proof::CommandSucceeded,
        notes: undo.is_none().then(no_undo).into_iter().collect(),
        ..injection(on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_command_is_undone_by_its_own_undo_as_the_same_user() {
        let api = sim::container("shop", "api", 1);
        let touch = compile(&words("touch /tmp/x"), Some("root"), Some(&words("rm /tmp/x")), &api).unwrap();
        assert_eq!(touch.undo, [Op::Exec { command: words("rm /tmp/x"), user: Some("root".into()) }]);
        assert!(touch.notes.is_empty());
    }

    #[test]
    fn a_command_without_undo_says_so_and_an_empty_one_is_refused() {
        let api = sim::container("shop", "api", 1);
        assert!(compile(&words("touch /x"), None, None, &api).unwrap().notes[0].contains("nothing undoes `touch /x`"));
        assert!(compile(&[], None, None, &api).is_err());
    }
}
