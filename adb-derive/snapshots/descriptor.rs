const _: () = {
    use ::adb::__macro as _adb;
    #[allow(unused_imports)]
    use ::adb::__macro::NoEdge as _;
    #[allow(dead_code, non_snake_case)]
    struct ChunkColumns {
        pub number: _adb::Column<Chunk, u64>,
        pub text: _adb::Column<Chunk, String>,
        pub topic: _adb::Column<Chunk, Option<String>>,
        pub parts: _adb::Link<Chunk, Vec<Chunk>>,
    }
    #[automatically_derived]
    impl _adb::DataModel for Chunk {
        type Columns = ChunkColumns;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = {
            if let ::core::option::Option::Some(_) = _adb::FieldKind::fault(
                &[<String as _adb::Field>::KIND],
                _adb::ObjectKind::Descriptor,
            ) {
                ::core::panic!(
                    "`Chunk` is a descriptor, and one of its fields says where an object lies in another: a `Rect` belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
                )
            }
            if <Embedding<512> as _adb::EmbeddingField>::OPTIONAL {
                ::core::panic!(
                    "`Chunk` is a descriptor, so its vector can't be an `Option`: write `Embedding<N>`, and leave out the object where there is none"
                )
            }
            &_adb::ModelSchema {
                name: "Chunk",
                class: "Chunk",
                kind: _adb::ObjectKind::Descriptor,
                convention: _adb::Convention::Adb,
                doc: "",
                fields: &[
                    _adb::FieldSchema {
                        name: "number",
                        key: "number",
                        property: "number",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::Id(<u64 as _adb::IdProperty>::ID_TYPE),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "text",
                        key: "text",
                        property: "text",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::of(<String as _adb::Field>::KIND, false),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "topic",
                        key: "topic",
                        property: "topic",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::Label {
                            optional: <Option<String> as _adb::LabelField>::OPTIONAL,
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "meaning",
                        key: "meaning",
                        property: "meaning",
                        doc: "",
                        was: &[],
                        role: {
                            let () = <<Chunks as _adb::DescriptorSet>::Embedder as _adb::Produces<
                                <Embedding<512> as _adb::EmbeddingField>::Vector,
                            >>::CHECKED;
                            let () = <<Chunks as _adb::DescriptorSet>::Embedder as _adb::Accepts<
                                <String as _adb::EmbedSource>::Modality,
                            >>::CHECKED;
                            _adb::FieldRole::Embedding {
                                set: <Chunks as _adb::DescriptorSet>::SPEC,
                                from: ::core::option::Option::Some("text"),
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
                        name: "parts",
                        key: "parts",
                        property: "parts",
                        doc: "",
                        was: &[],
                        role: {
                            let () = _adb::plain_edge(_adb::EdgeOf::<Vec<Chunk>>::EDGE);
                            let () = <<Vec<
                                Chunk,
                            > as _adb::Children>::Model as _adb::DescriptorModel>::CHECKED;
                            _adb::FieldRole::Children {
                                relation: _adb::Relation::Part,
                                edge: &[],
                                many: <Vec<Chunk> as _adb::Children>::MANY,
                                optional: <Vec<Chunk> as _adb::Children>::OPTIONAL,
                                model: _adb::SchemaRef::Declared(
                                    <Vec<Chunk> as _adb::Children>::schema,
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
                    _adb::ObjectKind::Descriptor,
                    "Chunk",
                    ::std::vec::Vec::from([
                        (
                            "number",
                            <u64 as _adb::IdProperty>::id(
                                &self.number,
                                _adb::FieldPlace {
                                    model: "Chunk",
                                    field: "number",
                                    property: "number",
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
                &self.text,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Chunk",
                    field: "text",
                    property: "text",
                },
            )?;
            if let ::core::option::Option::Some(__label) = <Option<
                String,
            > as _adb::LabelField>::label(&self.topic) {
                __graph.label(__node, ::std::borrow::ToOwned::to_owned(__label));
            }
            <Embedding<
                512,
            > as _adb::EmbeddingField>::add_from(
                &self.meaning,
                <String as _adb::EmbedSource>::input(&self.text),
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Chunk",
                    field: "meaning",
                    property: "meaning",
                },
                <Chunks as _adb::DescriptorSet>::SPEC,
            )?;
            <Vec<
                Chunk,
            > as _adb::Children>::add(
                &self.parts,
                __graph,
                __node,
                _adb::Relation::Part,
            )?;
            ::core::result::Result::Ok(__node)
        }
        fn columns() -> Self::Columns {
            ChunkColumns {
                number: _adb::Column::new("number"),
                text: _adb::Column::new("text"),
                topic: _adb::Column::new("_label"),
                parts: _adb::Link::new(_adb::Relation::Part),
            }
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                number: <u64 as _adb::IdProperty>::read_id(
                    __record,
                    _adb::FieldPlace {
                        model: "Chunk",
                        field: "number",
                        property: "number",
                    },
                )?,
                text: <String as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Chunk",
                        field: "text",
                        property: "text",
                    },
                )?,
                topic: <Option<
                    String,
                > as _adb::LabelField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Chunk",
                        field: "topic",
                        property: "topic",
                    },
                )?,
                meaning: <Embedding<
                    512,
                > as _adb::EmbeddingField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Chunk",
                        field: "meaning",
                        property: "meaning",
                    },
                )?,
                parts: <Vec<
                    Chunk,
                > as _adb::Children>::read(
                    __record.children("parts"),
                    _adb::FieldPlace {
                        model: "Chunk",
                        field: "parts",
                        property: "parts",
                    },
                )?,
            })
        }
    }
    #[automatically_derived]
    impl _adb::DescriptorModel for Chunk {}
    const _: &_adb::ModelSchema = <Chunk as _adb::DataModel>::SCHEMA;
};
