//! Which containers a selector means. All its keys are ANDed; zero matches are an error that says what there is.

use super::PlanError;
use crate::{
    container::{Container, State},
    scenario::{Selector, Target},
};
use regex::Regex;
use std::collections::BTreeSet;

/// Most names that an error lists.
const LISTED: usize = 8;

/// The containers that a target may be, by name, and what was left out and why.
#[derive(Debug)]
pub(super) struct Matches<'a> {
    /// Running, not protected, not ours.
    pub(super) candidates: Vec<&'a Container>,
    /// One line each.
    pub(super) left_out: Vec<String>,
}

/// Finds the candidates of a target; `excepted` are the ids that its `except` takes away.
pub(super) fn matches<'a>(
    target: &Target,
    excepted: &BTreeSet<&str>,
    all: &'a [Container],
) -> Result<Matches<'a>, PlanError> {
    let selector = &target.selector;
    if *selector == (Selector { except: selector.except.clone(), ..Selector::default() }) {
        let error = PlanError::new(target.place, format!("target `{}` would be every container there is", target.name));
        return Err(error.help("say which, by `project`, `service`, `name`, `image` or `label`"));
    }
    let name = name_regex(target)?;
    let matched: Vec<&Container> = all.iter().filter(|one| one.ours().is_none()).collect();
    let matched: Vec<&Container> = matched
        .into_iter()
        .filter(|one| fits(selector, name.as_ref(), one) && !excepted.contains(&*one.id.id))
        .collect();
    let (candidates, others): (Vec<_>, Vec<_>) = matched.into_iter().partition(|one| unfit(one).is_none());
    let left_out: Vec<String> = others.iter().filter_map(|one| unfit(one)).collect();
    if candidates.is_empty() {
        return Err(nothing(target, &left_out, all));
    }
    one_project(target, &candidates)?;
    Ok(Matches { candidates, left_out })
}

/// Why a container that matches cannot be a target all the same.
fn unfit(container: &Container) -> Option<String> {
    let name = &container.name;
    if container.protected() {
        return Some(format!("{name} is protected (firedrill.protect=true)"));
    }
    (container.state != State::Running).then(|| format!("{name} is {}", container.state.name()))
}

fn name_regex(target: &Target) -> Result<Option<Regex>, PlanError> {
    let Some(name) = &target.selector.name else { return Ok(None) };
    let compiled = Regex::new(&format!("^(?:{name})$"));
    compiled.map(Some).map_err(|_| PlanError::new(target.place, format!("`{name}` is not a regular expression")))
}

fn fits(selector: &Selector, name: Option<&Regex>, one: &Container) -> bool {
    let same = |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|wanted| is == Some(wanted));
    same(&selector.project, one.project())
        && same(&selector.service, one.service())
        && !(selector.service.is_some() && one_off(one))
        && name.is_none_or(|name| name.is_match(&one.name))
        && selector.image.as_deref().is_none_or(|image| image_fits(image, &one.image))
        && selector
            .labels
            .iter()
            .all(|(key, value)| one.labels.get(key).is_some_and(|is| value.as_ref().is_none_or(|wanted| is == wanted)))
}

/// `docker compose run`: bears the service's label and is no replica of it.
pub(super) fn one_off(container: &Container) -> bool {
    container.labels.get("com.docker.compose.oneoff").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A name without a tag matches every tag; `docker.io/library/` and digests do not count.
fn image_fits(wanted: &str, is: &str) -> bool {
    let (wanted, is) = (plain_image(wanted), plain_image(is));
    wanted == is || wanted == is.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(is, |(name, _)| name)
}

fn plain_image(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image)
}

/// A service name that two projects share must not make a drill in one hit the other.
fn one_project(target: &Target, candidates: &[&Container]) -> Result<(), PlanError> {
    let projects: BTreeSet<Option<&str>> = candidates.iter().map(|one| one.project()).collect();
    if target.selector.project.is_some() || projects.len() < 2 {
        return Ok(());
    }
    let named: Vec<&str> = projects.iter().map(|project| project.unwrap_or("(none)")).collect();
    let error = PlanError::new(
        target.place,
        format!(
            "target `{}` matches containers of {} compose projects: {}",
            target.name,
            named.len(),
            named.join(", ")
        ),
    );
    Err(error.help(format!("add `project: {}`", projects.iter().flatten().next().unwrap_or(&"..."))))
}

fn nothing(target: &Target, left_out: &[String], all: &[Container]) -> PlanError {
    if !left_out.is_empty() {
        let why = left_out.join("; ");
        return PlanError::new(target.place, format!("no container can be target `{}`: {why}", target.name))
            .help("a target must be running and not protected");
    }
    let error = PlanError::new(target.place, format!("no container matches target `{}`", target.name));
    match near_miss(&target.selector, all) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// What there is instead, for the first key that nothing has.
fn near_miss(selector: &Selector, all: &[Container]) -> Option<String> {
    let running: Vec<&Container> =
        all.iter().filter(|one| one.state == State::Running && one.ours().is_none()).collect();
    if running.is_empty() {
        return Some("no container is running on this engine".into());
    }
    let projects: BTreeSet<&str> = running.iter().filter_map(|one| one.project()).collect();
    if let Some(wanted) = selector.project.as_deref().filter(|wanted| !projects.contains(wanted)) {
        return Some(instead("compose project", wanted, &projects));
    }
    let here = |one: &&&Container| selector.project.as_deref().is_none_or(|project| one.project() == Some(project));
    let services: BTreeSet<&str> = running.iter().filter(here).filter_map(|one| one.service()).collect();
    if let Some(wanted) = selector.service.as_deref().filter(|wanted| !services.contains(wanted)) {
        return Some(instead("running service", wanted, &services));
    }
    let names: BTreeSet<&str> = running.iter().filter(here).map(|one| one.name.as_str()).collect();
    if let Some(wanted) = &selector.name {
        return Some(instead("running container", wanted, &names));
    }
    let images: BTreeSet<&str> = running.iter().filter(here).map(|one| one.image.as_str()).collect();
    if let Some(wanted) = selector.image.as_deref().filter(|wanted| !images.iter().any(|is| image_fits(wanted, is))) {
        return Some(instead("running image", wanted, &images));
    }
    Some(format!(
        "each key is matched by some container, but no one container has them all; running: {}",
        listed(&names)
    ))
}

fn instead(what: &str, wanted: &str, there: &BTreeSet<&str>) -> String {
    if there.is_empty() {
        return format!("there is no {what} at all");
    }
    // A swap of two letters is one slip; a third of the word may be wrong.
    let closest = there.iter().map(|name| (strsim::osa_distance(wanted, name), name));
    let closest = closest.min().filter(|(slips, name)| *slips <= name.chars().count().div_ceil(3));
    let meant = closest.map(|(_, name)| format!("did you mean `{name}`? ")).unwrap_or_default();
    format!("{meant}there is no {what} `{wanted}`; there is: {}", listed(there))
}

/// Some of the names, and how many more there are.
pub(super) fn listed(names: &BTreeSet<&str>) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).copied().collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        container::sim::container,
        scenario::{Pick, Place},
    };

    fn found(change: impl Fn(&mut Selector)) -> Result<Vec<String>, PlanError> {
        let mut all: Vec<Container> = (1..=3).map(|n| container("shop", "api", n)).collect();
        all.extend([container("shop", "db", 1), container("other", "api", 1)]);
        all[2].state = State::Exited;
        all[3].labels.insert("firedrill.protect".into(), "true".into());
        all[4].image = "docker.io/library/redis:7@sha256:00".into();
        let mut target = Target {
            name: "t".into(),
            place: Place { line: 4, column: 3 },
            selector: Selector::default(),
            pick: Pick::All,
        };
        change(&mut target.selector);
        let found = matches(&target, &BTreeSet::from([&*container("shop", "gone", 1).id.id]), &all)?;
        Ok(found.candidates.iter().map(|one| one.name.clone()).collect())
    }

    fn error(change: impl Fn(&mut Selector)) -> String {
        let error = found(change).unwrap_err();
        assert_eq!(error.place.line, 4);
        format!("{} ({})", error.message, error.help.unwrap_or_default())
    }

    fn some(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn keys_are_anded_and_what_does_not_run_is_no_candidate() {
        let api = found(|s| (s.project, s.service) = (some("shop"), some("api"))).unwrap();
        assert_eq!(api, ["shop-api-1", "shop-api-2"]);
        let one = found(|s| (s.service, s.name) = (some("api"), some("shop-api-[1]"))).unwrap();
        assert_eq!(one, ["shop-api-1"]);
        let image = |text: &str| found(|s| s.image = some(text)).unwrap();
        assert_eq!((image("redis"), image("redis:7")), (vec!["other-api-1".into()], vec!["other-api-1".into()]));
    }

    #[test]
    fn a_name_is_anchored_at_both_ends() {
        assert!(error(|s| s.name = some("api")).contains("no container matches"));
        assert_eq!(found(|s| s.name = some("shop-api-1|shop-api-2")).unwrap().len(), 2);
    }

    #[test]
    fn nothing_found_says_what_there_is() {
        let help = error(|s| s.project = some("shp"));
        assert!(
            help.contains("did you mean `shop`? there is no compose project `shp`; there is: other, shop"),
            "{help}"
        );
        let help = error(|s| (s.project, s.service) = (some("shop"), some("aip")));
        assert!(help.contains("did you mean `api`?") && help.contains("there is: api, db"), "{help}");
    }

    #[test]
    fn protected_containers_are_never_targets() {
        let why = error(|s| s.service = some("db"));
        assert!(why.contains("shop-db-1 is protected (firedrill.protect=true)"), "{why}");
    }

    #[test]
    fn two_projects_need_to_be_told_apart() {
        let why = error(|s| s.service = some("api"));
        assert!(why.contains("2 compose projects: other, shop (add `project: other`)"), "{why}");
    }

    #[test]
    fn a_selector_that_selects_nothing_is_not_everything() {
        assert!(error(|s| s.except = vec!["x".into()]).contains("every container there is"));
    }
}
