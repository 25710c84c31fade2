const _: () = {
    use crate::facade::__macro as _adb;
    #[allow(unused_imports)]
    use crate::facade::__macro::NoEdge as _;
    #[allow(dead_code, non_snake_case)]
    struct HolderColumns<'a, T: Clone, const N: usize> {
        pub r#type: _adb::Column<Holder<'a, T, N>, &'a str>,
        pub held: _adb::Link<Holder<'a, T, N>, Vec<T>>,
        pub next: _adb::Link<Holder<'a, T, N>, Option<Box<Holder<'a, T, N>>>>,
    }
    #[automatically_derived]
    impl<'a, T: Clone, const N: usize> _adb::DataModel for Holder<'a, T, N>
    where
        Vec<T>: _adb::Children,
        <Vec<T> as _adb::Children>::Edge: _adb::PlainEdge,
        Embedding<N>: _adb::EmbeddingField,
        ClipVitB16: _adb::Produces<<Embedding<N> as _adb::EmbeddingField>::Vector>,
    {
        type Columns = HolderColumns<'a, T, N>;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = {
            if let ::core::option::Option::Some(_) = _adb::FieldKind::fault(
                &[],
                _adb::ObjectKind::Entity,
            ) {
                ::core::panic!(
                    "`Holder` is an entity, and one of its fields says where an object lies in another: a `Rect` belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
                )
            }
            &_adb::ModelSchema {
                name: "Holder",
                class: "holder",
                kind: _adb::ObjectKind::Entity,
                convention: _adb::Convention::Adb,
                doc: "",
                fields: &[
                    _adb::FieldSchema {
                        name: "type",
                        key: "type",
                        property: "type",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::Id(
                            <&'a str as _adb::IdProperty>::ID_TYPE,
                        ),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "held",
                        key: "held",
                        property: "held",
                        doc: "",
                        was: &[],
                        role: {
                            let () = _adb::plain_edge(_adb::EdgeOf::<Vec<T>>::EDGE);
                            _adb::FieldRole::Children {
                                relation: _adb::Relation::Connection("Holds"),
                                edge: &[],
                                many: <Vec<T> as _adb::Children>::MANY,
                                optional: <Vec<T> as _adb::Children>::OPTIONAL,
                                model: _adb::SchemaRef::Declared(
                                    <Vec<T> as _adb::Children>::schema,
                                ),
                                made: ::core::option::Option::None,
                            }
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "next",
                        key: "next",
                        property: "next",
                        doc: "",
                        was: &[],
                        role: {
                            let () = _adb::plain_edge(
                                _adb::EdgeOf::<Option<Box<Holder<'a, T, N>>>>::EDGE,
                            );
                            _adb::FieldRole::Children {
                                relation: _adb::Relation::Connection("Next"),
                                edge: &[],
                                many: <Option<
                                    Box<Holder<'a, T, N>>,
                                > as _adb::Children>::MANY,
                                optional: <Option<
                                    Box<Holder<'a, T, N>>,
                                > as _adb::Children>::OPTIONAL,
                                model: _adb::SchemaRef::Declared(
                                    <Option<Box<Holder<'a, T, N>>> as _adb::Children>::schema,
                                ),
                                made: ::core::option::Option::None,
                            }
                        },
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
                            let () = <ClipVitB16 as _adb::Produces<
                                <Embedding<N> as _adb::EmbeddingField>::Vector,
                            >>::CHECKED;
                            _adb::FieldRole::Embedding {
                                set: _adb::SetSpec::new::<
                                    ClipVitB16,
                                >("given", _adb::Metric::L2, _adb::Engine::Flat),
                                from: ::core::option::Option::None,
                                label: ::core::option::Option::None,
                                optional: <Embedding<N> as _adb::EmbeddingField>::OPTIONAL,
                                class: ::core::option::Option::None,
                                face: ::core::option::Option::None,
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
                    _adb::ObjectKind::Entity,
                    "holder",
                    ::std::vec::Vec::from([
                        (
                            "type",
                            <&'a str as _adb::IdProperty>::id(
                                &self.r#type,
                                _adb::FieldPlace {
                                    model: "Holder",
                                    field: "type",
                                    property: "type",
                                },
                            )?,
                        ),
                    ]),
                )?
            {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            <Vec<
                T,
            > as _adb::Children>::add(
                &self.held,
                __graph,
                __node,
                _adb::Relation::Connection("Holds"),
            )?;
            <Option<
                Box<Holder<'a, T, N>>,
            > as _adb::Children>::add(
                &self.next,
                __graph,
                __node,
                _adb::Relation::Connection("Next"),
            )?;
            <Embedding<
                N,
            > as _adb::EmbeddingField>::add_given(
                &self.look,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Holder",
                    field: "look",
                    property: "look",
                },
                _adb::SetSpec::new::<
                    ClipVitB16,
                >("given", _adb::Metric::L2, _adb::Engine::Flat),
            )?;
            ::core::result::Result::Ok(__node)
        }
        fn columns() -> Self::Columns {
            HolderColumns {
                r#type: _adb::Column::new("type"),
                held: _adb::Link::new(_adb::Relation::Connection("Holds")),
                next: _adb::Link::new(_adb::Relation::Connection("Next")),
            }
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                r#type: <&'a str as _adb::IdProperty>::read_id(
                    __record,
                    _adb::FieldPlace {
                        model: "Holder",
                        field: "type",
                        property: "type",
                    },
                )?,
                held: <Vec<
                    T,
                > as _adb::Children>::read(
                    __record.children("held"),
                    _adb::FieldPlace {
                        model: "Holder",
                        field: "held",
                        property: "held",
                    },
                )?,
                next: <Option<
                    Box<Holder<'a, T, N>>,
                > as _adb::Children>::read(
                    __record.children("next"),
                    _adb::FieldPlace {
                        model: "Holder",
                        field: "next",
                        property: "next",
                    },
                )?,
                look: <Embedding<
                    N,
                > as _adb::EmbeddingField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Holder",
                        field: "look",
                        property: "look",
                    },
                )?,
            })
        }
    }
};
