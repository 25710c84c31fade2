const _: () = {
    use ::adb::__macro as _adb;
    #[allow(unused_imports)]
    use ::adb::__macro::NoEdge as _;
    #[allow(dead_code, non_snake_case)]
    struct FoodColumns<T> {
        pub id: _adb::Column<Food<T>, u64>,
        pub nutrition: _adb::FlatColumns<Food<T>, Nutrition>,
        pub more: _adb::FlatColumns<Food<T>, T>,
        pub cook: _adb::ConvertedColumn<Food<T>, Option<Duration>>,
    }
    #[automatically_derived]
    impl<T> _adb::DataModel for Food<T>
    where
        T: _adb::Properties,
    {
        type Columns = FoodColumns<T>;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = {
            if let ::core::option::Option::Some(_) = _adb::FieldKind::fault(
                &[],
                _adb::ObjectKind::Entity,
            ) {
                ::core::panic!(
                    "`Food` is an entity, and one of its fields says where an object lies in another: a `Rect` belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
                )
            }
            match _adb::clash(&["id", "cook"], <Nutrition as _adb::Properties>::FIELDS) {
                0usize => {
                    ::core::panic!(
                        "`Food.id` and a field of `Food.nutrition`, which is flattened, are both stored as `id`"
                    )
                }
                1usize => {
                    ::core::panic!(
                        "`Food.cook` and a field of `Food.nutrition`, which is flattened, are both stored as `cook`"
                    )
                }
                _ => {}
            }
            match _adb::clash(&["id", "cook"], <T as _adb::Properties>::FIELDS) {
                0usize => {
                    ::core::panic!(
                        "`Food.id` and a field of `Food.more`, which is flattened, are both stored as `id`"
                    )
                }
                1usize => {
                    ::core::panic!(
                        "`Food.cook` and a field of `Food.more`, which is flattened, are both stored as `cook`"
                    )
                }
                _ => {}
            }
            if _adb::clash_of(
                <Nutrition as _adb::Properties>::FIELDS,
                <T as _adb::Properties>::FIELDS,
            ) {
                ::core::panic!(
                    "`Food.nutrition` and `Food.more`, which are flattened, have fields that are stored under one name"
                )
            }
            &_adb::ModelSchema {
                name: "Food",
                class: "Food",
                kind: _adb::ObjectKind::Entity,
                convention: _adb::Convention::Adb,
                doc: "",
                fields: const {
                    &_adb::FieldList::joined(
                        &[
                            (
                                ::core::option::Option::None,
                                &[
                                    _adb::FieldSchema {
                                        name: "id",
                                        key: "id",
                                        property: "id",
                                        doc: "",
                                        was: &[],
                                        role: _adb::FieldRole::Id(
                                            <u64 as _adb::IdProperty>::ID_TYPE,
                                        ),
                                        default: ::core::option::Option::None,
                                        inside: ::core::option::Option::None,
                                    },
                                ],
                            ),
                            (
                                ::core::option::Option::Some(_adb::Inside {
                                    field: "nutrition",
                                    key: ::core::option::Option::None,
                                    optional: <Nutrition as _adb::Properties>::OPTIONAL,
                                }),
                                <Nutrition as _adb::Properties>::FIELDS,
                            ),
                            (
                                ::core::option::Option::Some(_adb::Inside {
                                    field: "more",
                                    key: ::core::option::Option::Some("more"),
                                    optional: <T as _adb::Properties>::OPTIONAL,
                                }),
                                <T as _adb::Properties>::FIELDS,
                            ),
                            (
                                ::core::option::Option::None,
                                &[
                                    _adb::FieldSchema {
                                        name: "cook",
                                        key: "cook",
                                        property: "cook",
                                        doc: "",
                                        was: &[],
                                        role: _adb::FieldRole::Property {
                                            value_type: seconds::TYPE,
                                            optional: _adb::with_is_optional::<
                                                Option<Duration>,
                                                _,
                                                _,
                                                _,
                                            >(seconds::to_value),
                                            indexed: true,
                                        },
                                        default: ::core::option::Option::None,
                                        inside: ::core::option::Option::None,
                                    },
                                ],
                            ),
                        ],
                    )
                }
                    .as_slice(),
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
                    "Food",
                    ::std::vec::Vec::from([
                        (
                            "id",
                            <u64 as _adb::IdProperty>::id(
                                &self.id,
                                _adb::FieldPlace {
                                    model: "Food",
                                    field: "id",
                                    property: "id",
                                },
                            )?,
                        ),
                    ]),
                )?
            {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            <Nutrition as _adb::Properties>::add(
                &self.nutrition,
                __graph.properties(__node),
            )?;
            <T as _adb::Properties>::add(&self.more, __graph.properties(__node))?;
            if let ::core::option::Option::Some(__value) = _adb::with_property::<
                Option<Duration>,
                _,
                _,
                _,
            >(
                &self.cook,
                _adb::FieldPlace {
                    model: "Food",
                    field: "cook",
                    property: "cook",
                },
                seconds::TYPE,
                seconds::to_value,
            )? {
                __graph.property(__node, "cook", __value);
            }
            ::core::result::Result::Ok(__node)
        }
        fn columns() -> Self::Columns {
            FoodColumns {
                id: _adb::Column::new("id"),
                nutrition: _adb::FlatColumns::new(),
                more: _adb::FlatColumns::new(),
                cook: _adb::ConvertedColumn::new(
                    "cook",
                    |__value: &Option<Duration>| {
                        _adb::with_value::<
                            Option<Duration>,
                            _,
                            _,
                            _,
                        >(__value, seconds::TYPE, seconds::to_value)
                    },
                ),
            }
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                id: <u64 as _adb::IdProperty>::read_id(
                    __record,
                    _adb::FieldPlace {
                        model: "Food",
                        field: "id",
                        property: "id",
                    },
                )?,
                nutrition: <Nutrition as _adb::Properties>::read(__record)?,
                more: <T as _adb::Properties>::read(__record)?,
                cook: if __record.lacks("cook") {
                    ::core::default::Default::default()
                } else {
                    _adb::with_read::<
                        Option<Duration>,
                        _,
                        _,
                    >(
                        __record,
                        _adb::FieldPlace {
                            model: "Food",
                            field: "cook",
                            property: "cook",
                        },
                        seconds::from_value,
                    )?
                },
            })
        }
    }
};
