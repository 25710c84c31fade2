const _: () = {
    use ::adb::__macro as _adb;
    #[automatically_derived]
    impl _adb::DataModel for Dish {
        const SCHEMA: &'static _adb::ModelSchema = {
            match _adb::FieldKind::pictures(
                &[
                    <String as _adb::Field>::KIND,
                    <Option<String> as _adb::Field>::KIND,
                    <Image as _adb::Field>::KIND,
                ],
            ) {
                (1, 0) => {}
                (0, 0) => {
                    ::core::panic!(
                        "`Dish` is an image, but none of its fields has the type `Image`: add one, such as `photo: Image`, or take `#[adb(image)]` away"
                    )
                }
                (0, 1) => {
                    ::core::panic!(
                        "`Dish` is an image, so its picture can't be an `Option`: take `#[adb(image)]` away, and an entity with an optional picture remains"
                    )
                }
                _ => {
                    ::core::panic!(
                        "`Dish` is an image, but has several fields of the type `Image`: an image object is one picture. Move the others into a model of their own, or take `#[adb(image)]` away: an entity can have any number of pictures"
                    )
                }
            }
            &_adb::ModelSchema {
                name: "Dish",
                class: "Dish",
                kind: _adb::ObjectKind::Image,
                doc: "A photo of a dish.",
                fields: &[
                    _adb::FieldSchema {
                        name: "dish_id",
                        key: "dish_id",
                        property: "dish_id",
                        doc: "",
                        role: _adb::FieldRole::Id(<u64 as _adb::IdProperty>::ID_TYPE),
                    },
                    _adb::FieldSchema {
                        name: "name",
                        key: "name",
                        property: "name",
                        doc: "What it is called.",
                        role: _adb::FieldRole::of(<String as _adb::Field>::KIND, false),
                    },
                    _adb::FieldSchema {
                        name: "cuisine",
                        key: "cuisine",
                        property: "cuisine",
                        doc: "",
                        role: {
                            if let _adb::FieldKind::Image { .. } = <Option<
                                String,
                            > as _adb::Field>::KIND {
                                ::core::panic!(
                                    "`cuisine` is a picture: only properties have an index"
                                )
                            }
                            _adb::FieldRole::of(
                                <Option<String> as _adb::Field>::KIND,
                                true,
                            )
                        },
                    },
                    _adb::FieldSchema {
                        name: "photo",
                        key: "url",
                        property: "url",
                        doc: "",
                        role: _adb::FieldRole::of(<Image as _adb::Field>::KIND, false),
                    },
                    _adb::FieldSchema {
                        name: "look",
                        key: "look",
                        property: "look",
                        doc: "",
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
                            }
                        },
                    },
                    _adb::FieldSchema {
                        name: "ingredients",
                        key: "ingredients",
                        property: "ingredients",
                        doc: "",
                        role: _adb::FieldRole::Children {
                            connection: "HasIngredient",
                            many: <Vec<Ingredient> as _adb::Children>::MANY,
                            model: <Vec<Ingredient> as _adb::Children>::schema,
                        },
                    },
                ],
            }
        };
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            let __id = <u64 as _adb::IdProperty>::id(
                &self.dish_id,
                _adb::FieldPlace {
                    model: "Dish",
                    field: "dish_id",
                    property: "dish_id",
                },
            )?;
            let __node = match __graph
                .enter(_adb::ObjectKind::Image, "Dish", "dish_id", __id)?
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
                "HasIngredient",
            )?;
            ::core::result::Result::Ok(__node)
        }
    }
    const _: &_adb::ModelSchema = <Dish as _adb::DataModel>::SCHEMA;
};
