const _: () = {
    use ::adb::__macro as _adb;
    #[allow(unused_imports)]
    use ::adb::__macro::NoEdge as _;
    #[allow(dead_code, non_snake_case)]
    struct DishColumns {
        pub dish_id: _adb::Column<Dish, u64>,
        ///What it is called.
        pub name: _adb::Column<Dish, String>,
        pub cuisine: _adb::Column<Dish, Option<String>>,
        pub photo: _adb::Column<Dish, Image>,
        pub ingredients: _adb::Link<Dish, Vec<Ingredient>>,
    }
    #[automatically_derived]
    impl _adb::DataModel for Dish {
        type Columns = DishColumns;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = {
            match _adb::FieldKind::fault(
                &[
                    <String as _adb::Field>::KIND,
                    <Option<String> as _adb::Field>::KIND,
                    <Image as _adb::Field>::KIND,
                ],
                _adb::ObjectKind::Image,
            ) {
                ::core::option::Option::None => {}
                ::core::option::Option::Some(_adb::KindFault::None) => {
                    ::core::panic!(
                        "`Dish` is an image, but none of its fields has the type `Image`: add one, such as `photo: Image`, or take `#[adb(image)]` away"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::Optional) => {
                    ::core::panic!(
                        "`Dish` is an image, so its picture can't be an `Option`: take `#[adb(image)]` away, and an entity with an optional picture remains"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::Several) => {
                    ::core::panic!(
                        "`Dish` is an image, but has several fields of the type `Image`: such an object is one picture. Move the others into a model of their own, or take `#[adb(image)]` away: an entity can have any number of them"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::OthersGeometry) => {
                    ::core::panic!(
                        "`Dish` is an image, and one of its fields says where an object lies in another: a `Rect` belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
                    )
                }
            }
            &_adb::ModelSchema {
                name: "Dish",
                class: "Dish",
                kind: _adb::ObjectKind::Image,
                convention: _adb::Convention::Adb,
                doc: "A photo of a dish.",
                fields: &[
                    _adb::FieldSchema {
                        name: "dish_id",
                        key: "dish_id",
                        property: "dish_id",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::Id(<u64 as _adb::IdProperty>::ID_TYPE),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "name",
                        key: "name",
                        property: "name",
                        doc: "What it is called.",
                        was: &[],
                        role: _adb::FieldRole::of(<String as _adb::Field>::KIND, false),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "cuisine",
                        key: "cuisine",
                        property: "cuisine",
                        doc: "",
                        was: &[],
                        role: {
                            match <Option<String> as _adb::Field>::KIND {
                                _adb::FieldKind::Property { .. } => {}
                                _ => {
                                    ::core::panic!(
                                        "`cuisine` is no property: only these have an index"
                                    )
                                }
                            }
                            _adb::FieldRole::of(
                                <Option<String> as _adb::Field>::KIND,
                                true,
                            )
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "photo",
                        key: "url",
                        property: "url",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::of(<Image as _adb::Field>::KIND, false),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "look",
                        key: "look",
                        property: "look",
                        doc: "",
                        was: &[],
                        role: {
                            let () = <<DishPhotos as _adb::DescriptorSet>::Embedder as _adb::Produces<
                                <Embedding<512> as _adb::EmbeddingField>::Vector,
                            >>::CHECKED;
                            let () = <<DishPhotos as _adb::DescriptorSet>::Embedder as _adb::Accepts<
                                <Image as _adb::EmbedSource>::Modality,
                            >>::CHECKED;
                            _adb::FieldRole::Embedding {
                                set: <DishPhotos as _adb::DescriptorSet>::SPEC,
                                from: ::core::option::Option::Some("photo"),
                                label: ::core::option::Option::None,
                                optional: <Embedding<
                                    512,
                                > as _adb::EmbeddingField>::OPTIONAL,
                                class: ::core::option::Option::None,
                                face: ::core::option::Option::None,
                            }
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "ingredients",
                        key: "ingredients",
                        property: "ingredients",
                        doc: "",
                        was: &[],
                        role: {
                            let () = _adb::plain_edge(
                                _adb::EdgeOf::<Vec<Ingredient>>::EDGE,
                            );
                            _adb::FieldRole::Children {
                                relation: _adb::Relation::Connection("HasIngredient"),
                                edge: &[],
                                many: <Vec<Ingredient> as _adb::Children>::MANY,
                                optional: <Vec<Ingredient> as _adb::Children>::OPTIONAL,
                                model: _adb::SchemaRef::Declared(
                                    <Vec<Ingredient> as _adb::Children>::schema,
                                ),
                                made: ::core::option::Option::None,
                            }
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                ],
                untyped: false,
                content_id: false,
            }
        };
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            let __node = match __graph
                .enter(
                    _adb::ObjectKind::Image,
                    "Dish",
                    ::std::vec::Vec::from([
                        (
                            "dish_id",
                            <u64 as _adb::IdProperty>::id(
                                &self.dish_id,
                                _adb::FieldPlace {
                                    model: "Dish",
                                    field: "dish_id",
                                    property: "dish_id",
                                },
                            )?,
                        ),
                    ]),
                )?
            {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            <String as _adb::Field>::add(
                &self.name,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Dish",
                    field: "name",
                    property: "name",
                },
            )?;
            <Option<
                String,
            > as _adb::Field>::add(
                &self.cuisine,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Dish",
                    field: "cuisine",
                    property: "cuisine",
                },
            )?;
            <Image as _adb::Field>::add(
                &self.photo,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Dish",
                    field: "photo",
                    property: "url",
                },
            )?;
            <Embedding<
                512,
            > as _adb::EmbeddingField>::add_from(
                &self.look,
                <Image as _adb::EmbedSource>::input(&self.photo),
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Dish",
                    field: "look",
                    property: "look",
                },
                <DishPhotos as _adb::DescriptorSet>::SPEC,
            )?;
            <Vec<
                Ingredient,
            > as _adb::Children>::add(
                &self.ingredients,
                __graph,
                __node,
                _adb::Relation::Connection("HasIngredient"),
            )?;
            ::core::result::Result::Ok(__node)
        }
        fn columns() -> Self::Columns {
            DishColumns {
                dish_id: _adb::Column::new("dish_id"),
                name: _adb::Column::new("name"),
                cuisine: _adb::Column::new("cuisine"),
                photo: _adb::Column::new("url"),
                ingredients: _adb::Link::new(_adb::Relation::Connection("HasIngredient")),
            }
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                dish_id: <u64 as _adb::IdProperty>::read_id(
                    __record,
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "dish_id",
                        property: "dish_id",
                    },
                )?,
                name: <String as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "name",
                        property: "name",
                    },
                )?,
                cuisine: <Option<
                    String,
                > as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "cuisine",
                        property: "cuisine",
                    },
                )?,
                photo: <Image as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "photo",
                        property: "url",
                    },
                )?,
                look: <Embedding<
                    512,
                > as _adb::EmbeddingField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "look",
                        property: "look",
                    },
                )?,
                ingredients: <Vec<
                    Ingredient,
                > as _adb::Children>::read(
                    __record.children("ingredients"),
                    _adb::FieldPlace {
                        model: "Dish",
                        field: "ingredients",
                        property: "ingredients",
                    },
                )?,
                note: <String as _adb::SkippedField>::made(),
            })
        }
    }
    const _: &_adb::ModelSchema = <Dish as _adb::DataModel>::SCHEMA;
};
