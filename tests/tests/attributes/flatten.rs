//! Flattened structs: their fields are properties of the object that takes them in.

use adb::{FieldRole, GraphBuilder, Inside, check::check, document::Document, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::common::{agree, empty, put};

/// What is in 100 grams.
#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nutrition {
    /// Energy.
    energy_kcal: f64,
    #[adb(index, rename = "vegan")]
    #[serde(default)]
    is_vegan: Option<bool>,
    #[adb(flatten)]
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
struct Origin {
    country: String,
    #[adb(default)]
    #[serde(default)]
    bio: bool,
}

#[derive(Debug, Clone, PartialEq, Connection, Serialize, Deserialize)]
struct Serves {
    #[serde(flatten)]
    price: Price,
    #[adb(index)]
    since: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
struct Price {
    cents: u32,
}

#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
struct Food {
    #[adb(id)]
    name: String,
    // As serde has it: the keys lie among the row's own.
    #[serde(flatten)]
    nutrition: Nutrition,
    // The properties lie among the object's own, and the row nests them.
    #[adb(flatten)]
    price: Price,
}

#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
struct Shop {
    #[adb(id)]
    name: String,
    #[adb(connect = Serves)]
    foods: Vec<Linked<Serves, Food>>,
}

fn food(name: &str, energy_kcal: f64, vegan: Option<bool>) -> Food {
    let origin = Origin { country: "IN".into(), bio: vegan.is_none() };
    let nutrition = Nutrition { energy_kcal, is_vegan: vegan, origin };
    Food { name: name.into(), nutrition, price: Price { cents: name.len() as u32 } }
}

#[test]
fn flattened_fields_are_fields_of_the_schema() {
    let nutrition = Some(Inside { field: "nutrition", key: None, optional: false });
    let price = Some(Inside { field: "price", key: Some("price"), optional: false });
    let fields: Vec<_> =
        Food::SCHEMA.fields.iter().map(|f| (f.name, f.key, f.property, f.inside)).collect();
    assert_eq!(
        fields,
        [
            ("name", "name", "name", None),
            ("energy_kcal", "energyKcal", "energyKcal", nutrition),
            ("is_vegan", "isVegan", "vegan", nutrition),
            ("country", "country", "country", nutrition),
            ("bio", "bio", "bio", nutrition),
            ("cents", "cents", "cents", price),
        ]
    );
    assert_eq!(Food::SCHEMA.fields[1].doc, "Energy.");
    let role = Food::SCHEMA.fields[2].role;
    assert!(matches!(role, FieldRole::Property { indexed: true, optional: true, .. }), "{role:?}");
}

#[tokio::test]
async fn flattened_fields_go_in_are_searched_and_come_back() {
    let (_dir, db) = empty();
    let foods =
        [food("dal", 120.0, Some(true)), food("ghee", 900.0, Some(false)), food("x", 1.0, None)];
    put(&*db, &foods).await;
    let find = || Food::find().sort(|f| f.name.ascending());
    assert_eq!(find().fetch(&*db).await.unwrap(), foods);
    let found = find().filter(|f| f.nutrition.energy_kcal.gt(100.0).and(f.price.cents.eq(4)));
    assert_eq!(found.fetch(&*db).await.unwrap(), foods[1..2]);
    let found =
        find().filter(|f| f.nutrition.is_vegan.is_absent().or(f.nutrition.origin.bio.eq(true)));
    assert_eq!(found.fetch(&*db).await.unwrap(), foods[2..]);
    let fattest = Food::find().sort(|f| f.nutrition.energy_kcal.descending()).limit(1);
    assert_eq!(fattest.fetch(&*db).await.unwrap(), foods[1..2]);

    let dal = || Food::find().filter(|f| f.name.eq("dal"));
    dal()
        .update(&*db, |f| [f.nutrition.origin.country.set("NP"), f.price.cents.set(7)])
        .await
        .unwrap();
    let changed = dal().fetch(&*db).await.unwrap().remove(0);
    assert_eq!((&*changed.nutrition.origin.country, changed.price.cents), ("NP", 7));
    let err = dal().update(&*db, |f| [f.nutrition.energy_kcal.unset()]).await.unwrap_err();
    assert!(err.to_string().contains("not an `Option`"), "{err}");

    // Indexes and types of what is flattened are seen to.
    let differences = check(&*db, &[Food::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
    #[derive(DataModel)]
    #[adb(class = "Food")]
    struct Other {
        #[adb(id)]
        name: String,
        #[adb(flatten)]
        texts: Texts,
    }
    #[derive(Properties)]
    struct Texts {
        #[adb(rename = "energyKcal", index)]
        energy: String,
    }
    let differences = check(&*db, &[Other::SCHEMA], |_| None).await.unwrap();
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("`Food.energyKcal` is a Number in the database"), "{told:?}");
    assert!(told[1].contains("`Food.energyKcal` has no index"), "{told:?}");
    assert!(Texts { energy: String::new() }.energy.is_empty());
}

#[tokio::test]
async fn connections_flatten_and_index_too() {
    let (_dir, db) = empty();
    let edge = Serves { price: Price { cents: 250 }, since: Some(1999) };
    let shop = Shop {
        name: "corner".into(),
        foods: vec![Linked { edge, to: food("dal", 120.0, Some(true)) }],
    };
    put(&*db, std::slice::from_ref(&shop)).await;
    assert_eq!(Shop::find().fetch(&*db).await.unwrap(), [shop]);
    let differences = check(&*db, &[Shop::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "the index on `since` is there: {differences:?}");
}

#[test]
fn rows_with_flattened_fields_are_read_by_struct_and_by_document() {
    agree::<Food>(&json!({
        "name": "dal", "energyKcal": 120.5, "isVegan": true, "country": "IN", "bio": false,
        "price": {"cents": 250},
    }));
    agree::<Shop>(&json!({"name": "corner", "foods": [{
        "cents": 100, "since": 1999,
        "name": "dal", "energyKcal": 120.5, "country": "IN", "bio": true, "price": {"cents": 250},
    }]}));
    let loaded = Document::of(Food::SCHEMA).load().unwrap();
    let row = json!({"name": "dal", "energyKcal": 1, "country": "IN", "bio": false, "cents": 250});
    let err = loaded.graph_in(&row, GraphBuilder::new()).unwrap_err();
    assert!(err.place() == "Food.price.cents" && err.to_string().contains("`price`"), "{err}");
}

#[test]
fn flattened_fields_are_in_json_schema_and_diagram() {
    let document = Document::of(Food::SCHEMA);
    let schema = document.to_json_schema();
    let food = &schema.as_value()["$defs"]["Food"];
    assert_eq!(food["properties"]["energyKcal"]["description"], "Energy.");
    assert_eq!(food["properties"]["price"]["properties"]["cents"]["type"], "integer");
    assert_eq!(food["properties"]["price"]["required"], json!(["cents"]));
    // `bio` has a default.
    assert_eq!(food["required"], json!(["name", "energyKcal", "country", "price"]));
    let diagram = document.to_mermaid();
    assert!(diagram.contains("        float energyKcal\n"), "{diagram}");
    assert!(diagram.contains("        int cents\n"), "{diagram}");
}

#[derive(Properties)]
struct Pair<T> {
    first: T,
    second: Option<T>,
}

#[derive(DataModel)]
struct Around<P> {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    inner: P,
}

#[test]
fn generic_structs_are_flattened() {
    let pair = Pair { first: 1u8, second: None };
    let graph = Around { id: 1, inner: pair }.graph().unwrap();
    assert_eq!(graph.root().unwrap().properties, [("first", adb::Value::Int(1))]);
    let names: Vec<_> = Around::<Pair<String>>::SCHEMA.fields.iter().map(|f| f.property).collect();
    assert_eq!(names, ["id", "first", "second"]);
    let _ = Around::<Pair<String>>::find().filter(|a| a.inner.first.eq("x"));
}

// Flattened structs that may be absent.

#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
struct Meal {
    #[adb(id)]
    name: String,
    #[serde(flatten)]
    nutrition: Option<Nutrition>,
    #[adb(flatten)]
    price: Option<Price>,
    // Nothing of it is needed, so serde finds it in every row.
    #[serde(flatten)]
    notes: Option<Notes>,
}

#[derive(Debug, Clone, PartialEq, Properties, Serialize, Deserialize)]
struct Notes {
    cook: Option<String>,
    guest: Option<String>,
}

fn meal(name: &str, nutrition: Option<Nutrition>, cents: Option<u32>) -> Meal {
    Meal { name: name.into(), nutrition, price: cents.map(|cents| Price { cents }), notes: None }
}

fn nutrition(energy_kcal: f64) -> Nutrition {
    let origin = Origin { country: "IN".into(), bio: false };
    Nutrition { energy_kcal, is_vegan: None, origin }
}

#[tokio::test]
async fn a_flattened_struct_may_be_absent() {
    let (_dir, db) = empty();
    let meals = [
        meal("all", Some(nutrition(9.0)), Some(0)),
        meal("none", None, None),
        meal("some", None, Some(1)),
    ];
    put(&*db, &meals).await;
    let find = || Meal::find().sort(|m| m.name.ascending());
    assert_eq!(find().fetch(&*db).await.unwrap(), meals);
    let found = find().filter(|m| m.nutrition.energy_kcal.gt(1.0).or(m.price.cents.eq(1)));
    assert_eq!(found.fetch(&*db).await.unwrap(), [meals[0].clone(), meals[2].clone()]);
    let found = find().filter(|m| m.nutrition.origin.country.is_absent());
    assert_eq!(found.fetch(&*db).await.unwrap(), meals[1..]);

    // What goes, goes as a whole.
    let gone = meal("all", None, Some(0));
    gone.upsert().write(&*db).await.unwrap();
    let found = find().filter(|m| m.name.eq("all"));
    assert_eq!(found.fetch(&*db).await.unwrap(), [gone]);

    let differences = check(&*db, &[Meal::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}

#[tokio::test]
async fn a_part_of_a_flattened_struct_is_not_taken_for_all_or_for_none() {
    let (_dir, db) = empty();
    put(&*db, &[meal("dal", None, None)]).await;
    Meal::find().update(&*db, |m| [m.nutrition.is_vegan.set(true)]).await.unwrap();
    let error = Meal::find().fetch(&*db).await.unwrap_err().to_string();
    assert!(
        error.contains("no `energyKcal`") && error.contains("Nutrition.energy_kcal"),
        "{error}"
    );

    // A struct of which nothing is needed is there as soon as it has something.
    Meal::find().update(&*db, |m| [m.nutrition.is_vegan.unset()]).await.unwrap();
    Meal::find().update(&*db, |m| [m.notes.guest.set("Al")]).await.unwrap();
    let notes = Notes { cook: None, guest: Some("Al".into()) };
    let found = Meal::find().fetch(&*db).await.unwrap();
    assert_eq!(found, [Meal { notes: Some(notes), ..meal("dal", None, None) }]);
}

#[test]
fn rows_without_a_flattened_struct_are_read_by_struct_and_by_document() {
    let all = json!({
        "name": "dal", "energyKcal": 120.5, "isVegan": true, "country": "IN", "bio": true,
        "price": {"cents": 250}, "cook": "Al",
    });
    agree::<Meal>(&all);
    agree::<Meal>(&json!({"name": "dal"}));
    agree::<Meal>(&json!({"name": "dal", "energyKcal": 1.0, "country": "IN", "price": null}));
    agree::<Meal>(&json!({"name": "dal", "energyKcal": null, "country": null, "guest": "Bo"}));

    let loaded = Document::of(Meal::SCHEMA).load().unwrap();
    let fault = |row: Json| loaded.graph_in(&row, GraphBuilder::new()).unwrap_err().to_string();
    // serde would pass over what there is; nothing that a row says is lost.
    let part = fault(json!({"name": "dal", "isVegan": true, "country": "IN"}));
    assert!(part.contains("`energyKcal`") && part.contains("Meal.nutrition.energy_kcal"), "{part}");
    let empty = fault(json!({"name": "dal", "price": {}}));
    assert!(empty.contains("`cents`") && empty.contains("Meal.price.cents"), "{empty}");
}

#[test]
fn schema_and_document_say_that_a_flattened_struct_may_be_absent() {
    let field = |name: &str| Meal::SCHEMA.fields.iter().find(|f| f.name == name).unwrap();
    let country = field("country");
    assert!(country.may_be_absent() && country.inside.unwrap().optional);
    assert!(!field("name").may_be_absent());
    let document = Document::of(Meal::SCHEMA);
    let schema = document.to_json_schema();
    let meal = &schema.as_value()["$defs"]["Meal"];
    assert_eq!(meal["required"], json!(["name"]));
    assert_eq!(meal["properties"]["energyKcal"]["type"], json!(["number", "null"]));
    assert_eq!(meal["properties"]["price"]["type"], json!(["object", "null"]));
    assert_eq!(meal["properties"]["price"]["required"], json!(["cents"]));
    assert_eq!(meal["properties"]["price"]["properties"]["cents"]["type"], "integer");
    let loaded = document.load().unwrap();
    let inside =
        |schema: &adb::ModelSchema| schema.fields.iter().map(|f| f.inside).collect::<Vec<_>>();
    assert_eq!(inside(loaded.schema()), inside(Meal::SCHEMA));
}
