const _: () = {
    use crate::facade::__macro as _adb;
    #[automatically_derived]
    impl<'a, T: Clone, const N: usize> _adb::DataModel for Holder<'a, T, N>
    where
        Vec<T>: _adb::Children,
        Embedding<N>: _adb::EmbeddingField,
        ClipVitB16: _adb::Produces<<Embedding<N> as _adb::EmbeddingField>::Vector>,
    {
        const SCHEMA: &'static _adb::ModelSchema = {
            &_adb::ModelSchema {
                name: "Holder",
                class: "holder",
                kind: _adb::ObjectKind::Entity,
                doc: "",
                fields: &[
                    _adb::FieldSchema {
                        name: "type",
                        key: "type",
                        property: "type",
                        doc: "",
                        role: _adb::FieldRole::Id(<&'a str as _adb::IdProperty>::ID_TYPE),
                    },
                    _adb::FieldSchema {
                        name: "held",
                        key: "held",
                        property: "held",
                        doc: "",
                        role: _adb::FieldRole::Children {
                            connection: "Holds",
                            many: <Vec<T> as _adb::Children>::MANY,
                            model: <Vec<T> as _adb::Children>::schema,
                        },
                    },
                    _adb::FieldSchema {
                        name: "next",
                        key: "next",
                        property: "next",
                        doc: "",
                        role: _adb::FieldRole::Children {
                            connection: "Next",
                            many: <Option<
                                Box<Holder<'a, T, N>>,
                            > as _adb::Children>::MANY,
                            model: <Option<
                                Box<Holder<'a, T, N>>,
                            > as _adb::Children>::schema,
                        },
                    },
                    _adb::FieldSchema {
                        name: "look",
                        key: "look",
                        property: "look",
                        doc: "",
                        role: {
                            let () = <ClipVitB16 as _adb::Produces<
                                <Embedding<N> as _adb::EmbeddingField>::Vector,
                            >>::CHECKED;
                            _adb::FieldRole::Embedding {
                                set: _adb::SetSpec::new::<
                                    ClipVitB16,
                                >("given", _adb::Metric::L2, _adb::Engine::Flat),
                                from: ::core::option::Option::None,
                            }
                        },
                    },
                ],
            }
        };
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            let __id = <&'a str as _adb::IdProperty>::id(
                &self.r#type,
                _adb::FieldPlace {
                    model: "Holder",
                    field: "type",
                    property: "type",
                },
            )?;
            let __node = match __graph
                .enter(_adb::ObjectKind::Entity, "holder", "type", __id)?
            {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            <Vec<T> as _adb::Children>::add(&self.held, __graph, __node, "Holds")?;
            <Option<
                Box<Holder<'a, T, N>>,
            > as _adb::Children>::add(&self.next, __graph, __node, "Next")?;
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
    }
};
