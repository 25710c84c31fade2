::core::compile_error! {
    "`Dish` has no id, so nothing tells its objects apart: a second run would add them again\nhelp: mark the field that identifies one: `#[adb(id)] name: T`\nhelp: if only several fields together do, mark each of them\nhelp: if none does, `#[adb(row_id)]` on the struct takes an id from the row in its source"
}
const _: () = {
    use ::adb::__macro as _adb;
    #[allow(dead_code, non_snake_case)]
    struct __Columns<T> {
        __model: ::core::marker::PhantomData<fn() -> Dish<T>>,
        pub name: _adb::Column<Dish<T>, _adb::AnyColumn>,
    }
    #[automatically_derived]
    impl<T> _adb::DataModel for Dish<T> {
        type Columns = __Columns<T>;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = &_adb::ModelSchema {
            name: "Dish",
            class: "Dish",
            .._adb::ModelSchema::BARE
        };
        fn build(
            &self,
            _: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            ::core::unreachable!()
        }
        fn columns() -> Self::Columns {
            ::core::unreachable!()
        }
        fn read(_: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::unreachable!()
        }
    }
    impl<T> _adb::RegionModel for Dish<T> {}
    impl<T> _adb::ClipModel for Dish<T> {}
    impl<T> _adb::FrameModel for Dish<T> {}
    impl<T> _adb::DescriptorModel for Dish<T> {}
};
::core::compile_error! {
    "unknown key `nam` on a descriptor set, expected one of `name`, `embedder`, `metric`, `engine`, `crate`\nhelp: did you mean `name`?"
}
const _: () = {
    use ::adb::__macro as _adb;
    #[automatically_derived]
    impl _adb::DescriptorSet for DishPhotos {
        type Embedder = _adb::AnyEmbedder;
        const SPEC: _adb::SetSpec = _adb::SetSpec::new::<
            _adb::AnyEmbedder,
        >("", _adb::Metric::Cosine, _adb::Engine::Flat);
    }
};
::core::compile_error! {
    "unknown key `klass` on a connection, expected one of `class`, `rename_all`, `crate`\nhelp: did you mean `class`?"
}
const _: () = {
    use ::adb::__macro as _adb;
    #[allow(dead_code, non_snake_case)]
    struct __Columns<T, __M> {
        __of: ::core::marker::PhantomData<fn() -> (HasIngredient<T>, __M)>,
        pub grams: _adb::Column<__M, _adb::AnyColumn>,
    }
    #[automatically_derived]
    impl<T> _adb::Properties for HasIngredient<T> {
        type Columns<__M> = __Columns<T, __M>;
        const FIELDS: &'static [_adb::FieldSchema] = &[];
        fn add(
            &self,
            _: &mut ::std::vec::Vec<(&'static ::core::primitive::str, _adb::Value)>,
        ) -> ::core::result::Result<(), _adb::ModelError> {
            ::core::unreachable!()
        }
        fn read(_: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::unreachable!()
        }
        fn columns<'__c, __M>() -> &'__c Self::Columns<__M> {
            ::core::unreachable!()
        }
    }
    #[automatically_derived]
    impl<T> _adb::Connection for HasIngredient<T> {
        const CLASS: &'static ::core::primitive::str = "";
    }
};
