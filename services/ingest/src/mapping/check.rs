//! What a mapping must keep to, whatever the database looks like.

use std::collections::BTreeSet;

use tributary_domain::{FieldError, prefixed};

use super::{
    ActionRule, Condition, InteractionTable, ItemTable, LabelFormat, Labels, Mapping, Moment,
    UserTable, ValueMap,
};
use crate::zone::Zone;

type Checked = Result<(), FieldError>;

const OLDEST: u8 = 120;

pub(super) fn mapping(mapping: &Mapping) -> Checked {
    let Mapping { items, users, interactions } = mapping;
    if let Some(table) = items {
        item_table(table).map_err(prefixed("items"))?;
    }
    if let Some(table) = users {
        user_table(table).map_err(prefixed("users"))?;
    }
    for (index, table) in interactions.iter().enumerate() {
        let inside = |error: FieldError| error.inside(&format!("interactions[{index}]"));
        interaction_table(table).map_err(inside)?;
    }
    tables(mapping)
}

fn tables(mapping: &Mapping) -> Checked {
    let names = mapping.tables();
    if names.is_empty() {
        return Err(FieldError::new("items", "no table is mapped: nothing would be read"));
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(**name)) {
        Some(name) => Err(FieldError::new("tables", format_args!("{name} is mapped twice"))),
        None => Ok(()),
    }
}

fn item_table(table: &ItemTable) -> Checked {
    identifier("table", &table.table)?;
    identifier("id", &table.id)?;
    let columns = [
        ("title", &table.title),
        ("text", &table.text),
        ("creator", &table.creator),
        ("year", &table.year),
        ("width", &table.width),
        ("height", &table.height),
        ("total_bookmarks", &table.total_bookmarks),
        ("total_views", &table.total_views),
    ];
    given(&columns)?;
    for (field, labels_of) in [("tags", &table.tags), ("genres", &table.genres)] {
        labels_of.as_ref().map_or(Ok(()), |rule| labels(field, rule))?;
    }
    table.created.as_ref().map_or(Ok(()), |rule| moment("created", rule))?;
    for (index, rule) in table.minimum_age.iter().enumerate() {
        let field = format!("minimum_age[{index}]");
        value_map(&field, rule)?;
        let ages = rule.values.values().chain(&rule.otherwise);
        if let Some(age) = ages.into_iter().find(|age| **age > OLDEST) {
            let reason = format_args!("{age} is over {OLDEST}").to_string();
            return Err(FieldError::new(format!("{field}.values"), reason));
        }
    }
    conditions("hidden", &table.hidden)?;
    conditions("deleted", &table.deleted)?;
    conditions("only", &table.only)?;
    optional(&table.optional, &[&table.id])
}

fn user_table(table: &UserTable) -> Checked {
    identifier("table", &table.table)?;
    identifier("id", &table.id)?;
    let columns = [
        ("age", &table.age),
        ("occupation", &table.occupation),
        ("blocked_creators", &table.blocked_creators),
    ];
    given(&columns)?;
    table.gender.as_ref().map_or(Ok(()), |rule| value_map("gender", rule))?;
    table.blocked_tags.as_ref().map_or(Ok(()), |rule| labels("blocked_tags", rule))?;
    conditions("deleted", &table.deleted)?;
    conditions("only", &table.only)?;
    optional(&table.optional, &[&table.id])
}

fn interaction_table(table: &InteractionTable) -> Checked {
    identifier("table", &table.table)?;
    identifier("user", &table.user)?;
    identifier("item", &table.item)?;
    action(&table.action)?;
    moment("time", &table.time)?;
    given(&[("dwell_ms", &table.dwell_ms)])?;
    conditions("deleted", &table.deleted)?;
    conditions("only", &table.only)?;
    let mut needed = vec![&table.user, &table.item, &table.time.column];
    needed.extend(&table.action.column);
    optional(&table.optional, &needed)
}

fn identifier(field: &str, name: &str) -> Checked {
    match name.trim().is_empty() || name.contains('`') {
        true => Err(FieldError::new(field, format_args!("{name:?} is not a name"))),
        false => Ok(()),
    }
}

fn given(columns: &[(&str, &Option<String>)]) -> Checked {
    let mut named = columns.iter().filter_map(|(field, name)| Some((*field, name.as_ref()?)));
    named.try_for_each(|(field, name)| identifier(field, name))
}

fn labels(field: &str, rule: &Labels) -> Checked {
    identifier(&format!("{field}.column"), &rule.column)?;
    let wrong = |key: &str, reason: &str| Err(FieldError::new(format!("{field}.{key}"), reason));
    match rule.format {
        LabelFormat::JsonObjects if rule.name.is_empty() => wrong("name", "must not be empty"),
        LabelFormat::Separated if rule.separator.is_empty() => {
            wrong("separator", "must not be empty")
        }
        LabelFormat::JsonTexts | LabelFormat::Separated if rule.translation.is_some() => {
            wrong("translation", "is of the format json-objects only")
        }
        LabelFormat::JsonObjects | LabelFormat::JsonTexts | LabelFormat::Separated => Ok(()),
    }
}

fn moment(field: &str, rule: &Moment) -> Checked {
    identifier(&format!("{field}.column"), &rule.column)?;
    match Zone::parse(&rule.zone) {
        Ok(_) => Ok(()),
        Err(error) => Err(FieldError::new(format!("{field}.zone"), error)),
    }
}

fn value_map<T>(field: &str, rule: &ValueMap<T>) -> Checked {
    identifier(&format!("{field}.column"), &rule.column)?;
    match rule.values.is_empty() {
        true => Err(FieldError::new(format!("{field}.values"), "must not be empty")),
        false => Ok(()),
    }
}

fn conditions(field: &str, rules: &[Condition]) -> Checked {
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("{field}[{index}]");
        identifier(&format!("{field}.column"), &rule.column)?;
        if rule.values.is_empty() == rule.null.is_none() {
            return Err(FieldError::new(field, "needs either values or null"));
        }
    }
    Ok(())
}

fn action(rule: &ActionRule) -> Checked {
    match (rule.always, &rule.column) {
        (Some(_), None) if rule.values.is_empty() => Ok(()),
        (None, Some(_)) if rule.values.is_empty() => {
            Err(FieldError::new("action.values", "must not be empty"))
        }
        (None, Some(column)) => identifier("action.column", column),
        _ => Err(FieldError::new("action", "needs either always, or column and values")),
    }
}

fn optional(names: &[String], needed: &[&String]) -> Checked {
    match names.iter().find(|name| needed.contains(name)) {
        Some(name) => {
            Err(FieldError::new("optional", format_args!("rows cannot be read without {name}")))
        }
        None => Ok(()),
    }
}
