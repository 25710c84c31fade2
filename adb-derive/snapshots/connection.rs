const _: () = {
    use ::adb::__macro as _adb;
    #[allow(dead_code, non_snake_case)]
    struct HasIngredientColumns<__M> {
        __of: ::core::marker::PhantomData<fn() -> (HasIngredient, __M)>,
        pub grams: _adb::Column<__M, Option<f64>>,
    }
    #[automatically_derived]
    impl _adb::Properties for HasIngredient {
        type Columns<__M> = HasIngredientColumns<__M>;
        const FIELDS: &'static [_adb::FieldSchema] = {
            &[
                _adb::FieldSchema {
                    name: "grams",
                    key: "grams",
                    property: "grams",
                    doc: "",
                    was: &[],
                    role: _adb::FieldRole::Property {
                        value_type: <Option<f64> as _adb::PropertyField>::TYPE,
                        optional: <Option<f64> as _adb::PropertyField>::OPTIONAL,
                        indexed: false,
                    },
                    default: ::core::option::Option::None,
                    inside: ::core::option::Option::None,
                },
            ]
        };
        #[allow(unused_variables)]
        fn add(
            &self,
            __values: &mut ::std::vec::Vec<
                (&'static ::core::primitive::str, _adb::Value),
            >,
        ) -> ::core::result::Result<(), _adb::ModelError> {
            if let ::core::option::Option::Some(__value) = <Option<
                f64,
            > as _adb::PropertyField>::value(
                &self.grams,
                _adb::FieldPlace {
                    model: "HasIngredient",
                    field: "grams",
                    property: "grams",
                },
            )? {
                __values.push(("grams", __value));
            }
            ::core::result::Result::Ok(())
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                grams: if __record.lacks("grams") {
                    ::core::default::Default::default()
                } else {
                    <Option<
                        f64,
                    > as _adb::PropertyField>::read(
                        __record,
                        _adb::FieldPlace {
                            model: "HasIngredient",
                            field: "grams",
                            property: "grams",
                        },
                    )?
                },
            })
        }
        fn columns<'__c, __M>() -> &'__c Self::Columns<__M> {
            const {
                &HasIngredientColumns {
                    __of: ::core::marker::PhantomData,
                    grams: _adb::Column::new("grams"),
                }
            }
        }
    }
    #[automatically_derived]
    impl _adb::Connection for HasIngredient {
        const CLASS: &'static ::core::primitive::str = "Has";
    }
    const _: &[_adb::FieldSchema] = <HasIngredient as _adb::Properties>::FIELDS;
};
