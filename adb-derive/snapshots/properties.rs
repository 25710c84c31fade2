const _: () = {
    use ::adb::__macro as _adb;
    #[allow(dead_code, non_snake_case)]
    struct NutritionColumns<T, __M> {
        __of: ::core::marker::PhantomData<fn() -> (Nutrition<T>, __M)>,
        ///Energy.
        pub kcal: _adb::Column<__M, f64>,
        pub other: _adb::Column<__M, T>,
        pub time: _adb::ConvertedColumn<__M, Duration>,
        pub origin: _adb::FlatColumns<__M, Origin>,
    }
    #[automatically_derived]
    impl<T> _adb::Properties for Nutrition<T>
    where
        T: _adb::PropertyField,
    {
        type Columns<__M> = NutritionColumns<T, __M>;
        const FIELDS: &'static [_adb::FieldSchema] = {
            match _adb::clash(
                &["kcal", "other", "time"],
                <Origin as _adb::Properties>::FIELDS,
            ) {
                0usize => {
                    ::core::panic!(
                        "`Nutrition.kcal` and a field of `Nutrition.origin`, which is flattened, are both stored as `kcal`"
                    )
                }
                1usize => {
                    ::core::panic!(
                        "`Nutrition.other` and a field of `Nutrition.origin`, which is flattened, are both stored as `other`"
                    )
                }
                2usize => {
                    ::core::panic!(
                        "`Nutrition.time` and a field of `Nutrition.origin`, which is flattened, are both stored as `time`"
                    )
                }
                _ => {}
            }
            const {
                &_adb::FieldList::joined(
                    &[
                        (
                            ::core::option::Option::None,
                            &[
                                _adb::FieldSchema {
                                    name: "kcal",
                                    key: "kcal",
                                    property: "kcal",
                                    doc: "Energy.",
                                    was: &[],
                                    role: _adb::FieldRole::Property {
                                        value_type: <f64 as _adb::PropertyField>::TYPE,
                                        optional: <f64 as _adb::PropertyField>::OPTIONAL,
                                        indexed: true,
                                    },
                                    default: ::core::option::Option::None,
                                    inside: ::core::option::Option::None,
                                },
                            ],
                        ),
                        (
                            ::core::option::Option::None,
                            &[
                                _adb::FieldSchema {
                                    name: "other",
                                    key: "other",
                                    property: "other",
                                    doc: "",
                                    was: &[],
                                    role: _adb::FieldRole::Property {
                                        value_type: <T as _adb::PropertyField>::TYPE,
                                        optional: <T as _adb::PropertyField>::OPTIONAL,
                                        indexed: false,
                                    },
                                    default: ::core::option::Option::None,
                                    inside: ::core::option::Option::None,
                                },
                            ],
                        ),
                        (
                            ::core::option::Option::None,
                            &[
                                _adb::FieldSchema {
                                    name: "time",
                                    key: "time",
                                    property: "time",
                                    doc: "",
                                    was: &[],
                                    role: _adb::FieldRole::Property {
                                        value_type: seconds::TYPE,
                                        optional: _adb::with_is_optional::<
                                            Duration,
                                            _,
                                            _,
                                            _,
                                        >(seconds::to_value),
                                        indexed: false,
                                    },
                                    default: ::core::option::Option::None,
                                    inside: ::core::option::Option::None,
                                },
                            ],
                        ),
                        (
                            ::core::option::Option::Some(_adb::Inside {
                                field: "origin",
                                key: ::core::option::Option::Some("origin"),
                                optional: <Origin as _adb::Properties>::OPTIONAL,
                            }),
                            <Origin as _adb::Properties>::FIELDS,
                        ),
                    ],
                )
            }
                .as_slice()
        };
        #[allow(unused_variables)]
        fn add(
            &self,
            __values: &mut ::std::vec::Vec<
                (&'static ::core::primitive::str, _adb::Value),
            >,
        ) -> ::core::result::Result<(), _adb::ModelError> {
            if let ::core::option::Option::Some(__value) = <f64 as _adb::PropertyField>::value(
                &self.kcal,
                _adb::FieldPlace {
                    model: "Nutrition",
                    field: "kcal",
                    property: "kcal",
                },
            )? {
                __values.push(("kcal", __value));
            }
            if let ::core::option::Option::Some(__value) = <T as _adb::PropertyField>::value(
                &self.other,
                _adb::FieldPlace {
                    model: "Nutrition",
                    field: "other",
                    property: "other",
                },
            )? {
                __values.push(("other", __value));
            }
            if let ::core::option::Option::Some(__value) = _adb::with_property::<
                Duration,
                _,
                _,
                _,
            >(
                &self.time,
                _adb::FieldPlace {
                    model: "Nutrition",
                    field: "time",
                    property: "time",
                },
                seconds::TYPE,
                seconds::to_value,
            )? {
                __values.push(("time", __value));
            }
            <Origin as _adb::Properties>::add(&self.origin, __values)?;
            ::core::result::Result::Ok(())
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                kcal: <f64 as _adb::PropertyField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Nutrition",
                        field: "kcal",
                        property: "kcal",
                    },
                )?,
                other: <T as _adb::PropertyField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Nutrition",
                        field: "other",
                        property: "other",
                    },
                )?,
                time: _adb::with_read::<
                    Duration,
                    _,
                    _,
                >(
                    __record,
                    _adb::FieldPlace {
                        model: "Nutrition",
                        field: "time",
                        property: "time",
                    },
                    seconds::from_value,
                )?,
                origin: <Origin as _adb::Properties>::read(__record)?,
                note: <String as _adb::SkippedField>::made(),
            })
        }
        fn columns<'__c, __M>() -> &'__c Self::Columns<__M> {
            const {
                &NutritionColumns {
                    __of: ::core::marker::PhantomData,
                    kcal: _adb::Column::new("kcal"),
                    other: _adb::Column::new("other"),
                    time: _adb::ConvertedColumn::new(
                        "time",
                        |__value: &Duration| {
                            _adb::with_value::<
                                Duration,
                                _,
                                _,
                                _,
                            >(__value, seconds::TYPE, seconds::to_value)
                        },
                    ),
                    origin: _adb::FlatColumns::new(),
                }
            }
        }
    }
};
