//! Generic functions whose types have names of many kilobytes.

use std::marker::PhantomData;

use tokio::time::sleep;

use crate::harness::{HOUR, at, waits};

/// Two of these in each other, and so on: the name doubles each time.
struct ALayerOfAnApplicationThatIsMadeOfLayersWithVeryLongNames<Lower, Upper>(PhantomData<fn(Lower, Upper)>);

use ALayerOfAnApplicationThatIsMadeOfLayersWithVeryLongNames as Layer;

type Twice<T> = Layer<T, T>;
type Tower = Twice<Twice<Twice<Twice<Twice<Twice<Twice<Twice<String>>>>>>>>;

const TOWER: Tower = Layer(PhantomData);

async fn a_generic_function_with_a_very_long_name_that_is_called_with_types_of_much_longer_names<
    Of,
    Request,
>(
    of: Of,
    request: Request,
) -> (Of, Request) {
    let handled = async || {
        at!(sleep(HOUR)).await;
    };
    at!(handled()).await;
    (of, request)
}

impl<Lower, Upper> Layer<Lower, Upper> {
    async fn a_method_with_a_very_long_name_of_a_type_with_a_much_longer_name<Request>(
        self,
        request: Request,
    ) {
        use a_generic_function_with_a_very_long_name_that_is_called_with_types_of_much_longer_names as handle;
        at!(handle(self, (request, TOWER))).await;
    }
}

trait ATraitWithAVeryLongNameThatATypeWithAMuchLongerNameImplements {
    fn a_method_of_a_trait_with_a_very_long_name(self) -> impl Future<Output = ()> + Send;
}

use ATraitWithAVeryLongNameThatATypeWithAMuchLongerNameImplements as Serve;

impl<Lower: 'static, Upper: 'static> Serve for Layer<Lower, Upper> {
    async fn a_method_of_a_trait_with_a_very_long_name(self) {
        at!(self.a_method_with_a_very_long_name_of_a_type_with_a_much_longer_name(TOWER)).await;
    }
}

/// The macro `concat!` takes no constants.
macro_rules! layer {
    () => {
        "self::ALayerOfAnApplicationThatIsMadeOfLayersWithVeryLongNames<Lower,Upper>"
    };
}

macro_rules! function {
    () => {
        "async fn self::a_generic_function_with_a_very_long_name_that_is_called_with_types_of_much_longer_names"
    };
}

#[test]
fn every_function_is_called_by_its_whole_name() {
    assert!(std::any::type_name::<Tower>().len() > 10_000);
    waits!(
        TOWER.a_method_of_a_trait_with_a_very_long_name(),
        [
            concat!(
                "async fn <",
                layer!(),
                " as self::ATraitWithAVeryLongNameThatATypeWithAMuchLongerNameImplements>",
                "::a_method_of_a_trait_with_a_very_long_name"
            ),
            concat!(
                "async fn ",
                layer!(),
                "::a_method_with_a_very_long_name_of_a_type_with_a_much_longer_name"
            ),
            function!(),
            concat!("async closure in ", function!()),
        ]
    );
}
